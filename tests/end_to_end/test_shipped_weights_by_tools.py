"""iterbackbone://NAME as the checkpoint of the toolboxes' own test tools."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import DictAction

from iterbackbone.__main__ import config_path
from iterbackbone.mm.configs import read_config
from iterbackbone.pretrained.index import FOLDER_VARIABLE
from tests.support.classification_runs import write_class_folders
from tests.support.openmmlab import read_log
from tests.support.pretrained import pack
from tests.support.tool_runs import NARROW, command, run

pytestmark = pytest.mark.slow
SMALL = ['model.backbone.base_channels=8', 'model.neck.in_channels=[32,64,128,256]']
RUNS = {
    'mmdet': ('faster-rcnn_iterative-r50-tiny_fpn_shapes', SMALL, 'pascal_voc/mAP'),
    'mmseg': (
        'upernet_iterative-r50-tiny_shapes',
        [*NARROW, 'test_dataloader.dataset.pipeline.1.scale=(96,64)'],
        'mIoU',
    ),
    'mmpretrain': ('iterative-tiny_1xb64_cifar10-subset', [], 'accuracy/top1'),
}
CLASSES = {'mmdet': 6, 'mmseg': 7, 'mmpretrain': 10}


@pytest.mark.parametrize('toolbox', RUNS)
def test_the_test_tool(toolbox, shapes_root, tmp_path):
    name, options, score = RUNS[toolbox]
    weights = tmp_path / 'weights'
    overrides = {key: DictAction._parse_iterable(x) for key, x in (o.split('=', 1) for o in options)}
    cfg = read_config(Path(config_path(name)), overrides)
    classes = [f'class {i}' for i in range(CLASSES[toolbox])]
    pack(weights, f'tiny_{toolbox}.toy', cfg, classes=classes)
    write_class_folders(tmp_path, train=2, test=1)
    env = {
        'ITERBACKBONE_SHAPES_ROOT': str(shapes_root),
        'ITERBACKBONE_DATA_ROOT': str(tmp_path),
        FOLDER_VARIABLE: str(weights),
    }
    address = f'iterbackbone://tiny_{toolbox}.toy'
    args = (toolbox, 'test', name, address, '--work-dir', tmp_path / 'work')
    assert score in run(command(*args, options=options), **env)
    (folder,) = (tmp_path / 'work').glob('*/iterations/test_*')
    assert read_log(folder)[2]['checkpoint'] == address
