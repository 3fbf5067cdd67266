"""`new --data` from folder to config; what goes wrong leaves nothing behind."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from iterbackbone.__main__ import main
from iterbackbone.cli.demo.options import CONFIG, shipped_detector
from iterbackbone.cli.paths import any_config
from tests.support.own_data import coco_file, picture, xml_file

BOX = (2, 3, 10, 12)


@pytest.fixture
def new(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder of its own; what it printed."""
    (tmp_path / 'place').mkdir()
    monkeypatch.chdir(tmp_path / 'place')

    def run(*args):
        monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'new', *map(str, args)])
        capsys.readouterr()
        main()
        return capsys.readouterr().out

    return run


def dirty(root):
    """Five good pictures, and one or more of each kind of fault."""
    for number in range(5):
        picture(root / f'{number}.jpg', colour=40 * number)
    picture(root / 'turned.jpg', orientation=6)
    (root / 'broken.jpg').write_bytes(b'no picture')
    images = [(n, f'{n}.jpg', (40, 30)) for n in range(5)]
    images += [(5, 'turned.jpg', (40, 30)), (6, 'broken.jpg', (40, 30)), (7, 'none.jpg', (40, 30))]
    bad = [
        (0, 0, (90, 3, 10, 12)),
        (0, 0, (3, 3, 0, 9)),
        (1, 7, BOX),
        (1, 0, (30, 20, 90, 90)),
        (9, 0, BOX),
    ]
    notes = [
        *((n, n % 2, BOX) for n in range(8)),
        *bad,
        dict(id=1, image_id=0, category_id=0, bbox=BOX),
    ]
    coco_file(root / 'all.json', [*images, images[0]], notes)
    return root


def test_a_dirty_folder(new, tmp_path):
    root = dirty(tmp_path / 'mine')
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    said = new('ours', '--data', root)
    assert f'{root}: COCO, 2 classes' in said
    assert 'loading annotations' not in said  # pycocotools' own lines
    assert '5 train, 1 val, split with seed 0\n' in said
    for kind in (
        'picture missing, left out',
        'picture unreadable, left out',
        'picture turned by EXIF, boxes turned with it',
        'image id twice, second left out',
        'annotation id twice, numbered anew',
        'annotations of no image, left out',
        'box of an unknown class, left out',
        'box without area, left out',
        'box outside the picture, left out',
        'box reaches outside the picture, cut',
    ):
        assert f'       1  {kind}\n' in said
        assert kind in Path('ours_data/problems.txt').read_text()
    assert 'Next: iterbackbone train ours.py' in said
    assert {path: path.stat().st_mtime_ns for path in root.rglob('*')} == before
    assert {path.name for path in Path().rglob('*')} == {
        'ours.py',
        'ours_data',
        'train.json',
        'val.json',
        'problems.txt',
    }
    cfg = Config.fromfile('ours.py')
    assert cfg.load_from == shipped_detector()[1]
    assert cfg.model.bbox_head.num_classes == 2
    assert cfg.model.backbone.type == 'iterbackbone.IterativeResNet'


def test_names_that_are_not_utf_8_or_need_quotes(new, tmp_path):
    """That of an XML file stands in problems.txt only."""
    for name in ('a', 'b', 'c', 'd\udcff'):
        picture(tmp_path / f'my data/{name}.png')
        xml_file(tmp_path / f'my data/{name}.xml', [('ring', (3, 4, 20, 20))])
    (tmp_path / 'my data/e\udcff.xml').write_text('<annotation>')
    said = new('mein häus', '--data', tmp_path / 'my data')
    for text in (said, Path('mein häus_data/problems.txt').read_text()):
        assert '       1  picture whose name is not UTF-8, left out\n' in text
        assert "          'e\\udcff.xml: " in text
    words = shlex.split(said.rpartition('Next: ')[2])
    assert words == ['iterbackbone', 'train', 'mein häus.py']


def test_a_class_name_that_no_terminal_takes_is_escaped(new, tmp_path):
    for number in range(2):
        picture(tmp_path / f'mine/{number}.png')
    images = [(number, f'{number}.png', (40, 30)) for number in range(2)]
    notes = [(number, 0, BOX) for number in range(2)]
    coco_file(tmp_path / 'mine/all.json', images, notes, ['ring\udcff'])
    assert 'to train   ring\\udcff 1\n' in new('ours', '--data', tmp_path / 'mine')


def test_only_the_first_cases_are_listed(new, tmp_path):
    root = dirty(tmp_path / 'mine')
    for number in range(5):
        picture(root / f'more/{number}.png')
        (root / f'more/{number}.png').write_bytes(b'')
    images = [(n, f'more/{n}.png', None) for n in range(5)]
    coco_file(root / 'more.json', images, [])
    said = new('ours', '--data', root)
    assert '       6  picture unreadable, left out\n' in said
    assert (said.count('more/'), Path('ours_data/problems.txt').read_text().count('more/')) == (2, 5)


def test_class_folders(new, shapes_root):
    said = new('kinds', '--data', shapes_root / 'classification', '--task', 'classification')
    assert 'class folders, ' in said
    assert ' val\n' in said
    cfg = Config.fromfile('kinds.py')
    assert cfg.load_from is None
    count = len(cfg.train_dataloader.dataset.metainfo.classes)
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == count > 1


def test_a_base_of_ones_own(new, shapes_root):
    args = ('--data', shapes_root / 'VOCdevkit/VOC2007', '--base')
    assert 'Wrote mine.py' in new('mine', *args, 'faster-rcnn_iterative-r50-tiny_fpn_shapes')
    cfg = Config.fromfile('mine.py')
    assert (cfg.model.roi_head.bbox_head.num_classes, cfg.get('load_from')) == (6, None)


@pytest.mark.parametrize(
    ('base', 'reason'),
    [
        ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'its backbone swapped by iterbackbone new'),
        ('iterative-tiny_1xb64_cifar10-subset', '--base must be of mmdet'),
        ('none', "'none' is no file"),
    ],
)
def test_a_base_that_does_not_fit_leaves_nothing(base, reason, new, shapes_root, capsys):
    with pytest.raises(SystemExit, match='2'):
        new('mine', '--data', shapes_root / 'VOCdevkit/VOC2007', '--base', base)
    assert reason in capsys.readouterr().err
    assert os.listdir() == []


@pytest.mark.parametrize(
    'dataset',
    [
        "_delete_=True, type='MultiImageMixDataset', dataset=dict(type='CocoDataset'), pipeline=[]",
        "pipeline=[dict(type='LoadAnnotations', with_bbox=True, with_mask=True)]",
    ],
)
def test_a_base_of_mosaics_or_masks_is_named(dataset, new, tmp_path, capsys):
    base = tmp_path / 'base.py'
    text = f'_base_ = {str(any_config(CONFIG))!r}\ntrain_dataloader = dict(dataset=dict({dataset}))'
    base.write_text(text)
    with pytest.raises(SystemExit, match='2'):
        new('mine', '--data', dirty(tmp_path / 'data'), '--base', base)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f'without masks and mixtures (MultiImageMixDataset), got {base}')
    assert os.listdir() == []


@pytest.mark.parametrize(
    ('args', 'reason'),
    [
        ((), 'one of --base and --data must be given'),
        (('--data', 'none'), '--data must be a folder, got none'),
        (('--data', '.'), '--data must be a folder with pictures, found none in .'),
    ],
)
def test_an_error_in_one_line(args, reason, new, capsys):
    with pytest.raises(SystemExit, match='2'):
        new('mine', *args)
    assert capsys.readouterr().err == f'iterbackbone new: error: {reason}\n'


def test_nothing_is_written_into_the_data_or_over_another(new, tmp_path, capsys):
    root = dirty(tmp_path / 'mine')
    Path('there_data').mkdir()
    for name in (root / 'inside', 'there'):
        with pytest.raises(SystemExit, match='2'):
            new(name, '--data', root)
        assert 'NAME must be new and outside of --data' in capsys.readouterr().err
    assert not (root / 'inside.py').exists()
