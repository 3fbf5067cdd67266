"""Whole models as modules of plain tensors: the same as the models' own predictions."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from iterbackbone.__main__ import config_path
from iterbackbone.core.trace import HaltingTrace
from iterbackbone.export.form import margin
from iterbackbone.mm.export.exported import exported
from iterbackbone.mm.export.models import ExportedModel
from tests.support.networks import tiny_net, varied

NARROW = {
    'model.backbone.base_channels': 8,
    'model.decode_head.in_channels': [32, 64, 128, 256],
    'model.decode_head.channels': 16,
    'model.auxiliary_head': None,
}
CASES = {'iterative-tiny_1xb64_cifar10-subset': {}, 'upernet_iterative-r50-tiny_voc2007': NARROW}


def model_of(name, **options):
    cfg = Config.fromfile(config_path(name))
    cfg.merge_from_dict({**CASES[name], **options})
    init_default_scope(cfg.default_scope)
    if cfg.get('data_preprocessor'):
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    varied(model.backbone, torch.randn(4, 3, 32, 32) * torch.rand(4, 1, 1, 1) * 3)
    return model.eval()


def images(count=3, size=(40, 56)):
    return torch.randint(256, (count, 3, *size), dtype=torch.uint8)


@torch.no_grad()
def test_classifier():
    model, x = model_of('iterative-tiny_1xb64_cifar10-subset'), images(size=(32, 32))
    scores, iterations, _ = exported(model)(x)
    prepared = model.data_preprocessor({'inputs': x.flip(1)})['inputs']
    wanted = model.head.predict(model.extract_feat(prepared))
    assert torch.allclose(scores, torch.stack([s.pred_score for s in wanted]), atol=1e-5)
    assert torch.equal(iterations, model.backbone.iterations())


@torch.no_grad()
@pytest.mark.parametrize('size', [(64, 64), (40, 56), (33, 97)])
def test_segmentor(size):
    model, x = model_of('upernet_iterative-r50-tiny_voc2007'), images(1, size)
    labels, iterations, _ = exported(model)(x)
    sample = model.test_step({'inputs': [x[0].flip(0)], 'data_samples': [segmentation_sample(size)]})[0]
    assert labels.dtype == torch.uint8
    assert labels.shape == (1, *size)
    assert (labels[0] == sample.pred_sem_seg.data[0]).float().mean() > 0.999
    assert torch.equal(iterations, model.backbone.iterations())


def segmentation_sample(size):
    from mmseg.structures import SegDataSample

    return SegDataSample(metainfo=dict(img_shape=size, ori_shape=size, pad_shape=size))


@torch.no_grad()
def test_a_segmentor_of_one_class_has_a_threshold():
    options = {'model.decode_head.num_classes': 2, 'model.decode_head.out_channels': 1}
    options |= {
        'model.decode_head.threshold': 0.4,
        'model.decode_head.loss_decode': dict(type='CrossEntropyLoss', use_sigmoid=True),
    }
    model, x = model_of('upernet_iterative-r50-tiny_voc2007', **options), images(1, (64, 64))
    labels = exported(model)(x)[0]
    sample = model.test_step(
        {'inputs': [x[0].flip(0)], 'data_samples': [segmentation_sample((64, 64))]}
    )[0]
    assert set(labels.unique().tolist()) <= {0, 1}
    assert (labels[0] == sample.pred_sem_seg.data[0]).float().mean() > 0.999


@torch.no_grad()
def test_the_reference_is_the_networks_own_execution():
    model, x = model_of('iterative-tiny_1xb64_cifar10-subset'), images(size=(32, 32))
    module = exported(model)
    found = dict(zip(module.outputs, module(x), strict=True))
    wanted, distance = module.reference(x)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.allclose(found[name].float(), value.float(), rtol=1e-4, atol=1e-5), name
    assert 0 < distance < 1


@torch.no_grad()
def test_all_images_run_a_fixed_number():
    """Whatever they need: else files of images that halt early would not agree."""
    model = model_of('iterative-tiny_1xb64_cifar10-subset')
    module = exported(model, 3)
    module.form.network.set_budget(max_iterations=3)
    wanted, _ = module.reference(images(size=(32, 32)))
    assert wanted['iterations'].amax(dim=0).tolist() != list(module.limits)
    assert module(images(size=(32, 32)))[-1] == wanted['macs']


def test_the_margin_by_hand():
    def trace(*scores):
        tensors = tuple(torch.tensor(s) for s in scores)
        return HaltingTrace(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), (3,), (1, 1), tensors)

    nan = math.nan
    # sums 0.5 and 0.95 of the first block, 0.98 of the second; the last score is not a decision
    assert margin(trace([[0.5, 0.45, 1.0]], [[0.98, nan, nan]]), 0.99) == pytest.approx(0.01, abs=1e-6)
    assert margin(trace([[1.0]]), 0.99) == math.inf


def test_what_cannot_be_exported():
    model = nn.Identity()
    with pytest.raises(ValueError, match=r'model must be of one of .*, got Identity'):
        exported(model)
    with pytest.raises(TypeError, match=r'model\.backbone must be an IterativeResNet, got NoneType'):
        ExportedModel(model)
    model.backbone = tiny_net()
    with pytest.raises(RuntimeError, match='evaluation mode'):
        ExportedModel(model)
    many = model_of('upernet_iterative-r50-tiny_voc2007', **{'model.decode_head.num_classes': 300})
    with pytest.raises(ValueError, match='num_classes must be at most 256 to be exported, got 300'):
        exported(many)
    many.decode_head.num_classes, many.test_cfg.mode = 21, 'slide'
    with pytest.raises(ValueError, match=r"test_cfg\.mode must be 'whole' to be exported, got 'slide'"):
        exported(many)


@pytest.mark.parametrize(
    'head',
    [dict(type='MultiLabelLinearClsHead'), dict(type='CSRAClsHead', num_heads=1, lam=0.1)],
    ids=lambda head: head['type'],
)
def test_heads_without_a_softmax_are_refused(head):
    model = model_of('iterative-tiny_1xb64_cifar10-subset')
    model.head = MODELS.build(dict(head, in_channels=8, num_classes=3, _scope_='mmpretrain'))
    with pytest.raises(ValueError, match=f'by a softmax, to be exported, got {head["type"]}'):
        exported(model)


def test_segmentors_of_own_prediction_are_refused():
    model = model_of('upernet_iterative-r50-tiny_voc2007')
    head = dict(type='DAHead', in_channels=256, in_index=3, channels=16, pam_channels=4, num_classes=21)
    model.decode_head = MODELS.build(dict(head, _scope_='mmseg'))
    with pytest.raises(ValueError, match=r'decode_head must predict as BaseDecodeHead .*, got DAHead'):
        exported(model.eval())
    model.decode_head = nn.ModuleList([model.decode_head])
    with pytest.raises(ValueError, match=r'decode_head must predict .*, got ModuleList'):
        exported(model)
