"""iterbackbone://NAME wherever OpenMMLab takes a checkpoint."""

from __future__ import annotations

import os

import pytest
import torch
from mmengine.runner import CheckpointLoader, load_checkpoint

from iterbackbone.mm import IterativeResLayer, IterativeResNet
from iterbackbone.mm.configs import build_model
from iterbackbone.pretrained.index import FOLDER_VARIABLE
from tests.support.detector_configs import CLASSES as COUNT
from tests.support.detector_configs import detector_cfg
from tests.support.pretrained import BACKBONE, CLASSES, CLASSIFIER, pack
from tests.support.processes import Program

NAME, DETECTOR = 'tiny_net.toy', 'tiny_retinanet.toy'
WIDTHS = dict(in_channels=[8, 16, 32, 64], num_outs=4)
STRIDES = dict(anchor_generator=dict(strides=[4, 8, 16, 32]))
NETWORK = dict(
    _delete_=True, type='iterbackbone.IterativeResNet', norm_eval=True, last_relu=False, **BACKBONE
)
OFFLINE = """
import socket
def refuse(*args, **kwargs):
    raise OSError('there is no network')
socket.socket.connect = socket.getaddrinfo = refuse
from mmengine.config import Config
from mmdet.apis import init_detector
from mmdet.registry import MODELS
cfg = Config.fromfile({config!r})
model = init_detector(cfg, 'iterbackbone://tiny_retinanet', device='cpu')
print('sum', float(model.bbox_head.retina_cls.weight.double().sum()), model.dataset_meta['classes'])
cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='iterbackbone://tiny_net')
model = MODELS.build(cfg.model)
model.init_weights()
print('sum', float(model.backbone.stem.conv.weight.double().sum()))
"""


def retinanet(**backbone):
    small = dict(backbone={**NETWORK, **backbone}, neck=WIDTHS, bbox_head=STRIDES)
    return detector_cfg('retinanet', **small)


@pytest.fixture(scope='module')
def states(tmp_path_factory):
    """State dicts of the classifier and of the detector that were packed."""
    folder = tmp_path_factory.mktemp('weights')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(folder))
        names = [f'class {i}' for i in range(COUNT)]
        yield pack(folder), pack(folder, DETECTOR, retinanet(), classes=names)


def below(state, prefix):
    return {key.removeprefix(prefix): x for key, x in state.items() if key.startswith(prefix)}


def check_equal(found, wanted):
    assert found.keys() == wanted.keys()
    assert [key for key in wanted if not torch.equal(found[key], wanted[key])] == []


def pretrained(name=NAME, **more):
    return dict(type='Pretrained', checkpoint=f'iterbackbone://{name}', **more)


@pytest.mark.parametrize('more', [{}, dict(prefix='backbone.')])
def test_a_detectors_backbone_by_init_cfg(states, more):
    from mmdet.registry import MODELS

    model = MODELS.build(retinanet(init_cfg=pretrained(**more)).model)
    model.init_weights()
    check_equal(model.backbone.state_dict(), below(states[0], 'backbone.'))


def test_a_detectors_own_backbone_in_another(states):
    net = IterativeResNet(**BACKBONE, last_relu=False, init_cfg=pretrained('tiny_retinanet'))
    net.init_weights()
    check_equal(net.state_dict(), below(states[1], 'backbone.'))


def test_c4_takes_its_two_parts(states):
    options = {**BACKBONE, 'last_relu': False, 'init_cfg': pretrained()}
    first = IterativeResNet(num_stages=3, **options)
    last = IterativeResLayer(stage=3, **options)
    for part in (first, last):
        part.init_weights()
        wanted = below(states[0], 'backbone.')
        check_equal(part.state_dict(), {key: wanted[key] for key in part.state_dict()})


def test_a_whole_detector(states):
    model = build_model(retinanet())
    checkpoint = load_checkpoint(model, f'iterbackbone://{DETECTOR}', map_location='cpu')
    check_equal(model.state_dict(), states[1])
    assert checkpoint['meta']['dataset_meta']['classes'] == ('class 0', 'class 1', 'class 2')


def test_a_whole_classifier(states):
    model = build_model(CLASSIFIER)
    load_checkpoint(model, f'iterbackbone://{NAME}')
    check_equal(model.state_dict(), states[0])
    meta = CheckpointLoader.load_checkpoint(f'iterbackbone://{NAME}')['meta']
    assert list(meta['dataset_meta']['classes']) == CLASSES


def test_mmsegs_visualizer_takes_the_classes(states):
    """It refuses classes without as many colours."""
    from mmseg.visualization import SegLocalVisualizer

    meta = CheckpointLoader.load_checkpoint(f'iterbackbone://{DETECTOR}')['meta']
    visualizer = SegLocalVisualizer()
    visualizer.set_dataset_meta(**meta['dataset_meta'])
    assert visualizer.dataset_meta['classes'] == ('class 0', 'class 1', 'class 2')


def test_offline(states, tmp_path):
    """mmdet's own function for a detector; a backbone's init_cfg."""
    retinanet().dump(tmp_path / 'config.py')
    code = OFFLINE.format(config=str(tmp_path / 'config.py'))
    exit_code, stdout, stderr = Program(code=code, env=dict(os.environ)).wait(timeout=300)
    assert exit_code == 0, stderr
    sums = [line.split()[1] for line in stdout.splitlines() if line.startswith('sum')]
    weights = states[1]['bbox_head.retina_cls.weight'], states[0]['backbone.stem.conv.weight']
    assert [float(x) for x in sums] == [float(x.double().sum()) for x in weights]
    assert "('class 0', 'class 1', 'class 2')" in stdout


@pytest.mark.parametrize('name', ['tiny_nett', 'tiny_net.tou'])
def test_the_nearest_name_is_said(states, name):
    message = rf"weights must be one of \[.*'{NAME}', .*got '{name}'; did you mean tiny_net"
    with pytest.raises(ValueError, match=message):
        load_checkpoint(torch.nn.Linear(1, 1), f'iterbackbone://{name}')
    with pytest.raises(ValueError, match=message):
        IterativeResNet(**BACKBONE, init_cfg=pretrained(name)).init_weights()


def test_other_shapes_are_named(states):
    net = IterativeResNet(**{**BACKBONE, 'base_channels': 8}, init_cfg=pretrained())
    with pytest.raises(ValueError, match=r"'iterbackbone://tiny_net.toy' .* of another shape: stem"):
        net.init_weights()
