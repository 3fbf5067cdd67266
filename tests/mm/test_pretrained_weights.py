"""A pretrained init_cfg loads all of its tensors as they are, or none."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import load_checkpoint
from torch import nn

import iterbackbone
from iterbackbone.mm import IterativeResNet
from tests.support.resnets import RunsCode

TINY = {'base_channels': 4, 'expansion': 2, 'max_iterations': (2, 1, 1, 1)}
STEM, VARIANCE, COUNTER = 'stem.conv.weight', 'stem.norm.running_var', 'stem.norm.num_batches_tracked'


def pretrained(path, **more):
    return dict(type='Pretrained', checkpoint=str(path), **more)


def state():
    return iterbackbone.IterativeResNet(**TINY).state_dict()


def quantised(tensor):
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


STRANGE = [
    (STEM, lambda x: x.to('meta'), r'\(no dense tensor\)'),
    (STEM, quantised, r'\(no dense tensor\)'),
    (STEM, lambda x: x.to_sparse(), r'\(no dense tensor\)'),
    ('stages.0.blocks.0.halting.fc1.weight', lambda x: x.to_sparse_csr(), r'\(no dense tensor\)'),
    (STEM, lambda x: x.bool(), r'\(bool instead of float32\)'),
    (STEM, lambda x: x.to(torch.int8), r'\(int8 instead of float32\)'),
    (STEM, lambda x: x.to(torch.uint16), r'\(no dense tensor\)'),
    (STEM, lambda x: x.to(torch.complex64), r'\(complex64 instead of float32\)'),
    (STEM, lambda x: 'text', r'\(a str\)'),
    (STEM, lambda x: x.tolist(), r'\(a list\)'),
    (STEM, lambda x: x / 0, r'\(NaN or infinite in float32\)'),
    (STEM, lambda x: x.double() + 1e300, r'\(NaN or infinite in float32\)'),
    (VARIANCE, lambda x: x * torch.nan, r'\(NaN or infinite in float32\)'),
    (VARIANCE, lambda x: -x, r'\(negative\)'),
    (COUNTER, lambda x: x.double(), r'\(float64 instead of int64\)'),
    (COUNTER, lambda x: x - 1, r'\(negative\)'),
]


@pytest.mark.parametrize(('key', 'change', 'reason'), STRANGE)
def test_what_cannot_be_copied_is_refused(tmp_path, key, change, reason):
    weights = state()
    weights[key] = change(weights[key])
    torch.save({'state_dict': weights}, tmp_path / 'a.pth')
    net = IterativeResNet(**TINY, init_cfg=pretrained(tmp_path / 'a.pth'))
    message = f'does not fit IterativeResNet: 1 no weights: {key} {reason}'
    for _ in range(2):  # a second attempt finds the same
        with pytest.raises(ValueError, match=message):
            net.init_weights()


@pytest.mark.parametrize(('key', 'change'), [(VARIANCE, torch.neg), (STEM, lambda x: x.to_sparse())])
def test_load_from_refuses_it_too(tmp_path, key, change):
    weights = state()
    weights[key] = change(weights[key])
    torch.save({f'backbone.{key}': value for key, value in weights.items()}, tmp_path / 'a.pth')
    model = nn.Module()
    model.backbone = IterativeResNet(**TINY)
    with pytest.raises(ValueError, match=rf"IterativeResNet at 'backbone.': 1 no weights: {key}"):
        load_checkpoint(model, str(tmp_path / 'a.pth'))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'state_dict': [1, 2]}, r'a.pth: its state_dict must be a dict of tensors, got a list'),
        ({'state_dict': None}, r'a.pth: its state_dict must be a dict of tensors, got a NoneType'),
        ({'state_dict': {0: torch.zeros(1)}}, r'a.pth: its keys must be text, got 0'),
        ({7: torch.zeros(1)}, r'a.pth: its keys must be text, got 7'),
        ({'state_dict': dict.fromkeys(state(), 'text')}, r'no weights: stem.conv.weight \(a str\), '),
    ],
)
def test_what_is_no_state_dict_is_named(tmp_path, content, message):
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        IterativeResNet(**TINY, init_cfg=pretrained(tmp_path / 'a.pth')).init_weights()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_loaded(tmp_path, dtype):
    weights = {k: x.to(dtype) if x.is_floating_point() else x.int() for k, x in state().items()}
    torch.save(weights, tmp_path / 'a.pth')
    net = IterativeResNet(**TINY, init_cfg=pretrained(tmp_path / 'a.pth'))
    net.init_weights()
    assert all(torch.equal(x, weights[key].to(x.dtype)) for key, x in net.state_dict().items())


def test_pretrained_weights_win_over_other_initialisers(tmp_path):
    weights = state()
    saved = {f'module.{key}': nn.Parameter(x, False) for key, x in weights.items() if key != COUNTER}
    torch.save(saved, tmp_path / 'a.pth')
    first = [pretrained(tmp_path / 'a.pth'), dict(type='Constant', layer='Conv2d', val=9.0)]
    net = IterativeResNet(**TINY, init_cfg=first)

    class Model(BaseModule):
        def __init__(self):
            super().__init__(init_cfg=dict(type='Constant', layer='Conv2d', val=7.0))
            self.backbone, self.neck = net, nn.Conv2d(1, 1, 1)

    model = Model()
    model.init_weights()
    assert model.neck.weight.item() == 7
    assert all(torch.equal(x, weights[key]) for key, x in net.state_dict().items())
    assert net.init_cfg == first


@pytest.mark.parametrize(
    ('init_cfg', 'error', 'message'),
    [
        (dict(type='Pretrained', checkpoint='a.pth', prefixx='b'), TypeError, 'prefixx'),
        (dict(type='Pretrained', checkpoint=None), ValueError, 'checkpoint must be a file, got None'),
        ('a.pth', TypeError, "init_cfg must be a dict or a list of dicts, got 'a.pth'"),
        (
            dict(type='Constant', val=1, override=pretrained('a.pth', name='stem')),
            ValueError,
            'override must not load',
        ),
        (pretrained('torchvision://resnet7'), ValueError, 'checkpoint must be a known model, got'),
        (pretrained('nowhere://a'), ValueError, r'checkpoint nowhere://a cannot be fetched'),
        (
            pretrained('http://127.0.0.1:9/a.pth'),
            ValueError,
            r'a.pth cannot be fetched \(<urlopen error',
        ),
    ],
)
def test_bad_configs_are_named(tmp_path, monkeypatch, init_cfg, error, message):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(error, match=message):
        IterativeResNet(**TINY, init_cfg=init_cfg).init_weights()


@pytest.mark.parametrize('kind', ['Pretrained', 'mmengine.Pretrained'])
def test_threads_load_or_refuse_as_one_alone(tmp_path, kind):
    """A hostile file in one, a good one in others; no setting of the process changes."""
    weights, ran = state(), tmp_path / 'ran'
    torch.save({'state_dict': weights}, tmp_path / 'good.pth')
    torch.save({'state_dict': weights, 'meta': RunsCode(ran)}, tmp_path / 'bad.pth')

    def settings():
        return dict(os.environ), set(torch.serialization.get_safe_globals())

    def initialise(name):
        net = IterativeResNet(**TINY, init_cfg=dict(type=kind, checkpoint=str(tmp_path / name)))
        try:
            net.init_weights()
        except ValueError as error:
            return 'is refused: it must hold weights only' in str(error)
        return all(torch.equal(x, weights[key]) for key, x in net.state_dict().items())

    with torch.serialization.safe_globals([nn.ReLU]), ThreadPoolExecutor(4) as pool:
        before = settings()
        results = list(pool.map(initialise, ['good.pth', 'bad.pth'] * 10))
        assert settings() == before
    assert all(results)
    assert not ran.exists()


@pytest.mark.parametrize('forced', [False, True])
def test_the_init_cfg_of_other_modules_is_mmengines(tmp_path, monkeypatch, forced):
    """As docs/faults.md says: it runs what a file brings along, unless torch is told not to."""
    ran = tmp_path / 'ran'
    torch.save({'state_dict': {}, 'meta': RunsCode(ran)}, tmp_path / 'a.pth')
    if forced:
        monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    model = BaseModule(init_cfg=pretrained(tmp_path / 'a.pth'))
    with pytest.raises(Exception, match='Weights only') if forced else nullcontext():
        model.init_weights()
    assert ran.exists() != forced
