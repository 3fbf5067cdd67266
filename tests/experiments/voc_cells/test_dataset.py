"""Golden: labels drawn from boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine import Config
from mmseg.registry import TRANSFORMS

from experiments.voc_cells.dataset import CLASSES, IGNORED, PARTS, VOCCells, read_boxes

CONFIG = Path(__file__).parents[3] / 'experiments/voc_cells/joint.py'
BOXES = [(3, [0.0, 0.0, 63.0, 63.0]), (7, [30.0, 30.0, 34.0, 34.0])]  # the largest first


def drawn(boxes, size=(64, 96)):
    results = dict(img=np.zeros((*size, 3), np.uint8), boxes=boxes)
    for step in (dict(type='BoxMap', smallest=4), dict(type='CellLabels')):
        results = TRANSFORMS.build({**step, '_scope_': 'mmseg'})(results)
    return results


def test_the_smallest_box_is_on_top_and_has_a_cell():
    found = drawn(BOXES)
    x = IGNORED
    assert found['gt_seg_map'].tolist() == [
        [3, 3, 3, 3, x, x],
        [3, 7, 7, 3, x, x],
        [3, 7, 7, 3, x, x],
        [3, 3, 3, 3, x, x],
    ]
    assert found['ori_shape'] == (4, 6)
    assert found['object_size'] == pytest.approx((63 + 4) / 2 / 64)


def test_the_largest_box_comes_first(tmp_path):
    names = ('xmin', 'ymin', 'xmax', 'ymax')
    objects = ''
    for label, corners in (('dog', (2, 2, 5, 5)), ('cat', (1, 1, 9, 9)), ('dog', (0, 0, 6, 6))):
        box = ''.join(f'<{k}>{x}</{k}>' for k, x in zip(names, corners, strict=True))
        objects += f'<object><name>{label}</name><bndbox>{box}</bndbox></object>'
    file = tmp_path / 'one.xml'
    file.write_text(f'<annotation>{objects}</annotation>')
    found = [(CLASSES[label], box[2]) for label, box in read_boxes(file)]
    assert found == [('cat', 9.0), ('dog', 6.0), ('dog', 5.0)]


def test_parts_share_no_image(voc2007):
    parts = {part: VOCCells(str(voc2007 / 'VOCdevkit/VOC2007'), part, [], seed=1) for part in PARTS}
    names = {part: {x['img_id'] for x in data.data_list} for part, data in parts.items()}
    assert [len(names[part]) for part in PARTS] == [1400, 500, 200, 400]
    assert len(set.union(*names.values())) == 2500


def test_another_part_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"part must be one of .*'fit'.*, got 'all'"):
        VOCCells(str(tmp_path), 'all', [])


def test_one_variable_sets_every_seed(monkeypatch):
    monkeypatch.setenv('VOC_CELLS_SEED', '2')
    cfg = Config.fromfile(CONFIG)
    validation = cfg.val_dataloader.dataset.datasets
    parts = [cfg.train_dataloader.dataset, *validation, cfg.test_dataloader.dataset]
    assert [part.seed for part in parts] == [2, 2, 2, 2]
    assert cfg.randomness.seed == 2
