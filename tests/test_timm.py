"""timm's registry: the checks of its own tests of models, and the package's weights."""

from __future__ import annotations

import json
import shutil

import pytest
import timm
import torch
from timm.data import resolve_data_config
from timm.models import FeatureInfo, save_for_hf
from timm.optim import param_groups_layer_decay

import iterbackbone.timm
from iterbackbone import create_model, list_models
from iterbackbone.pretrained.index import FOLDER_VARIABLE, SHIPPED, find_weights
from tests.support.blocked_runs import OPENMMLAB, run

TAGGED = 'iterative_resnet50_w32.tiny_imagenet'
SMALL = dict(base_channels=4, expansion=2)
NAMES = ('iterative_resnet50', 'iterative_resnet101_double', 'iterative_resnet152_dw')
X = torch.rand(2, 3, 64, 64)
OWN = """
import timm, iterbackbone.timm
print(timm.list_models('own*', pretrained=True))
model = timm.create_model('own.first', pretrained=True)
print(float(model.head.fc.weight.sum()))
print(timm.create_model('gray.first').default_cfg['input_size'])
"""

IMPORT = """
from torch import nn
built, start = [], nn.Module.__init__
nn.Module.__init__ = lambda self, *_, **__: (built.append(type(self).__name__), start(self))[1]
import timm.models
before = len(built)
import iterbackbone.timm
print(built[before:])
nn.Linear(1, 1)
print(built[-1])
"""


def made(name, **options):
    return timm.create_model(name, **SMALL, **options).eval()


def test_every_name_is_in_the_registry():
    assert set(timm.list_models(module='timm')) == set(list_models())
    assert TAGGED in timm.list_models('iterative*', pretrained=True)
    assert set(iterbackbone.timm.__all__) == {'TimmResNet', *list_models()}
    assert iterbackbone.timm.iterative_resnet50(**SMALL).num_classes == 1000


def test_the_import_builds_no_network():
    done = run(IMPORT, blocked=OPENMMLAB)
    assert (done.stdout.splitlines(), done.returncode) == (['[]', 'Linear'], 0), done.stderr


def test_the_map_before_pooling_is_that_of_the_arguments():
    cfg = made('iterative_resnet50', strides=(1, 2, 2, 1)).default_cfg
    assert (cfg['input_size'][1:], cfg['pool_size']) == ((224, 224), (14, 14))


@pytest.mark.parametrize('name', NAMES)
def test_default_cfg(name):
    """As timm's test_model_default_cfgs."""
    model = made(name)
    cfg, state = model.default_cfg, model.state_dict()
    assert {f'{cfg["classifier"]}.weight', f'{cfg["first_conv"]}.weight'} <= state.keys()
    x = torch.rand(1, *cfg['input_size'])
    maps = model.forward_features(x)
    pooled = model.forward_head(maps, pre_logits=True)
    assert maps.shape[1:] == (model.num_features, *cfg['pool_size'])
    assert model(x).shape == (1, 1000)
    model.reset_classifier(0)
    assert model.num_classes == 0
    assert model(x).shape == pooled.shape == (1, model.head_hidden_size)
    model.reset_classifier(0, '')
    assert model(x).shape == maps.shape
    model.reset_classifier(7, 'avg')
    assert model.get_classifier().out_features == 7
    assert made(name, num_classes=0, global_pool='')(x).shape == maps.shape


@pytest.mark.parametrize('name', NAMES)
def test_every_parameter_has_a_gradient(name):
    """As timm's test_model_backward."""
    model = made(name, num_classes=42, drop_rate=0.1).train()
    logits = model(X)
    logits.mean().backward()
    assert logits.shape == (2, 42)
    assert [key for key, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ('out_indices', 'stages'),
    [(None, [0, 1, 2, 3]), ((0, 2), [0, 2]), ((-2, -1), [2, 3]), (2, [2, 3]), ((1,), [1])],
)
def test_features(out_indices, stages):
    """As timm's test_model_forward_features and ..._intermediates_features; a list, as from timm's."""
    model = made('iterative_resnet50', features_only=True, out_indices=out_indices)
    maps, info = model(X), model.feature_info
    assert isinstance(maps, list)
    assert info.channels() == [8 * 2**k for k in stages]
    assert info.reduction() == [4 * 2**k for k in stages]
    assert info.module_name() == [f'backbone.stages.{k}' for k in stages]
    wanted = zip(info.channels(), info.reduction(), strict=True)
    assert [tuple(x.shape) for x in maps] == [(2, c, 64 // r, 64 // r) for c, r in wanted]
    assert len(model.model.backbone.stages) == stages[-1] + 1
    assert 'head.fc.weight' not in model.model.state_dict()


def test_intermediates():
    """As timm's test_model_forward_intermediates."""
    model = made('iterative_resnet50')
    info = FeatureInfo(model.feature_info, len(model.feature_info))
    last, maps = model.forward_intermediates(X, output_fmt='NCHW')
    assert [x.shape[1] for x in maps] == info.channels()
    assert torch.equal(last, model.forward_features(X))


def test_weights_of_the_package():
    model = timm.create_model(TAGGED, pretrained=True).eval()
    ours = create_model(TAGGED, pretrained=True).eval()
    assert torch.equal(model(X), ours(X))
    data = resolve_data_config(model=model)
    facts = find_weights(TAGGED)
    assert data['input_size'] == tuple(facts.preprocessing['input_size'])
    maps = model.forward_features(torch.rand(1, *data['input_size']))
    assert maps.shape[2:] == model.default_cfg['pool_size']
    assert data['mean'] == pytest.approx(tuple(x / 255 for x in facts.mean))
    options = dict(pretrained=True, features_only=True, in_chans=1, out_indices=(0, 1))
    found = timm.create_model('iterative_resnet50_w32', **options).eval()(X[:, :1])
    wanted = create_model('iterative_resnet50_w32', **options).eval()(X[:, :1])
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    model = timm.create_model(TAGGED, pretrained=True, num_classes=5)
    assert torch.equal(model.backbone.stem.conv.weight, ours.backbone.stem.conv.weight)
    assert model(X).shape == (2, 5)


def test_timms_own_saving(tmp_path):
    """timm's local-dir: reads its folder, whatever the package's weights are."""
    model = timm.create_model(TAGGED, num_classes=5).eval()
    save_for_hf(model, tmp_path, safe_serialization=True)
    loaded = timm.create_model(f'local-dir:{tmp_path}', pretrained=True).eval()
    assert torch.equal(loaded(X), model(X))


ENTRY = dict(model_name='resnet18', out_indices=(1,))


@pytest.mark.parametrize('features_only', [False, True])
def test_the_first_convolution_behind_an_entry(features_only):
    model = made('iterative_resnet50', entry=ENTRY, features_only=features_only)
    whole = model.model if features_only else model
    first = whole.get_submodule(model.default_cfg['first_conv'])
    assert first is whole.backbone.stem.network.timm_model.conv1


def test_a_saved_entry_takes_other_channels(tmp_path):
    model = made('iterative_resnet50', entry=ENTRY, num_classes=5)
    save_for_hf(model, tmp_path, safe_serialization=True, model_args=dict(SMALL, entry=ENTRY))
    loaded = timm.create_model(f'local-dir:{tmp_path}', pretrained=True, in_chans=1)
    kernels = [x.get_submodule(x.default_cfg['first_conv']).weight for x in (loaded, model)]
    assert torch.allclose(kernels[0], kernels[1].sum(1, keepdim=True), atol=1e-6)
    assert not loaded.backbone.stem.frozen


def test_own_weights(tmp_path, monkeypatch):
    """Those in the folder of ITERBACKBONE_WEIGHTS, but for BGR, which timm does not know."""
    entry = json.loads((SHIPPED / 'index.json').read_text())[TAGGED]
    gray = entry | dict(mean=[100], std=[60], preprocessing={})
    gray['architecture'] = entry['architecture'] | dict(in_channels=1)
    index = {'own.first': entry, 'own.blue': entry | {'color_order': 'BGR'}, 'gray.first': gray}
    (tmp_path / 'index.json').write_text(json.dumps(index))
    shutil.copy(SHIPPED / f'{TAGGED}.safetensors', tmp_path / 'own.first.safetensors')
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    done = run(OWN, blocked=OPENMMLAB)
    assert done.returncode == 0, done.stderr
    names, total, size = done.stdout.splitlines()
    assert (names, size) == ("['own.first']", '(1, 224, 224)')
    assert float(total) == float(find_weights('own.first').read()['head.fc.weight'].sum())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(model_name='iterative_resnet50.none'), r'Invalid pretrained tag \(none\)'),
        (dict(model_name='iterative_resnet50', pretrained=True), 'No pretrained weights exist'),
        (dict(model_name='iterative_resnet50', features_only=True, out_indices=(4,)), '0 to 3'),
        (dict(model_name='iterative_resnet50', out_indices=(1,)), "argument 'out_indices'"),
        (dict(model_name='iterative_resnet50', base_channels=0), 'base_channels must be >= 1, got 0'),
    ],
)
def test_errors(arguments, message):
    with pytest.raises((RuntimeError, AssertionError, TypeError, ValueError), match=message):
        timm.create_model(**arguments)


def test_weights_of_a_detector_have_no_classifier():
    (name,) = timm.list_models('fcos_iterative*', pretrained=True)
    model = timm.create_model(name, pretrained=True).eval()
    assert (model.num_classes, model(X).shape) == (0, (2, model.num_features))
    wanted = create_model(name, pretrained=True, features_only=True)
    assert torch.equal(model.backbone.stem.conv.weight, wanted.stem.conv.weight)


def test_layer_decay_and_recomputation_of_timms_training_script():
    model = made('iterative_resnet50').train()
    rates = {}
    for group in param_groups_layer_decay(model, layer_decay=0.5):
        rates |= {id(p): group['lr_scale'] for p in group['params']}
    scales = [rates[id(p)] for p in (model.backbone.stem.conv.weight, model.head.fc.weight)]
    stages = [{rates[id(p)] for p in stage.parameters()} for stage in model.backbone.stages]
    assert scales == [0.5**5, 1]
    assert stages == [{0.5**k} for k in (4, 3, 2, 1)]

    x, kept = X.clone().requires_grad_(), []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            model(x)
        kept.append(None)
    stored = kept.index(None)
    assert len(kept) - stored < stored
