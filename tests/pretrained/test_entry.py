"""An entry of timm is frozen where its weights are trained ones, by every door."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iterbackbone import create_model

timm = pytest.importorskip('timm')
NAME = 'fcos_efficientnet_lite0_iterative'
ENTRY = dict(model_name='tf_efficientnet_lite0', feature_cls='getter', out_indices=[3])
CASES = [
    (dict(), False),
    (dict(pretrained=True), True),
    (dict(pretrained=True, in_chans=4), False),
    (dict(pretrained=True, in_chans=3, num_classes=5), True),
    (dict(pretrained=True, entry=dict(ENTRY, frozen=False)), False),
    (dict(pretrained=True, in_chans=4, entry=dict(ENTRY, frozen=True)), True),
    (dict(entry=dict(ENTRY, frozen=True)), True),
]


def check(model, frozen):
    """Gradients and mode of the entry; the rest trains in any case."""
    backbone = getattr(model, 'backbone', model)
    assert backbone.stem.frozen is frozen
    assert {p.requires_grad for p in backbone.stem.parameters()} == {not frozen}
    assert backbone.train().stem.training is not frozen
    assert all(p.requires_grad for p in backbone.stages.parameters())


@pytest.mark.parametrize(('options', 'frozen'), CASES)
def test_by_name(options, frozen):
    check(create_model(NAME, **options), frozen)


def test_features_of_an_untrained_entry_train():
    model = create_model(NAME, features_only=True)
    check(model, False)
    model(torch.rand(2, 3, 64, 64))[-1].sum().backward()
    first = next(part for part in model.stem.modules() if isinstance(part, nn.Conv2d))
    assert first.weight.grad.any()


def test_frozen_must_be_a_bool():
    with pytest.raises(TypeError, match=r'entry\.frozen must be a bool, got 1'):
        create_model(NAME, entry=dict(ENTRY, frozen=1))


@pytest.mark.parametrize(('options', 'frozen'), CASES)
def test_in_timm(options, frozen):
    pytest.importorskip('iterbackbone.timm')
    model = timm.create_model(NAME, **options)
    check(model, frozen)
    if options.get('pretrained') and 'in_chans' not in options:
        wanted = create_model(NAME, pretrained=True).backbone.stem.state_dict()
        found = model.backbone.stem.state_dict()
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize('options', [dict(), dict(features_only=True, out_indices=(0,))])
def test_in_timm_of_a_folder(options, tmp_path):
    """timm's own files come without ``load_pretrained``: the entry trains until it is frozen."""
    pytest.importorskip('iterbackbone.timm')
    saved = timm.create_model(NAME)
    check(saved, False)
    timm.models.save_for_hf(saved, tmp_path, safe_serialization=True)
    model = timm.create_model(f'local-dir:{tmp_path}', pretrained=True, **options)
    model = getattr(model, 'model', model)
    check(model, False)
    wanted = saved.state_dict()
    assert all(torch.equal(x, wanted[key]) for key, x in model.state_dict().items())


def test_in_timm_of_a_folder_that_lacks_something(tmp_path):
    pytest.importorskip('iterbackbone.timm')
    saved = timm.create_model(NAME)
    del saved.backbone.stages[0].blocks[0].conv1
    timm.models.save_for_hf(saved, tmp_path, safe_serialization=True)
    with pytest.raises(RuntimeError, match=r'Missing key.*stages\.0\.blocks\.0\.conv1'):
        timm.create_model(f'local-dir:{tmp_path}', True, features_only=True, out_indices=(0,))


@pytest.mark.parametrize(('options', 'frozen'), CASES[:3])
def test_of_a_folder(options, frozen, tmp_path):
    """A folder's own weights come after the network is made."""
    hub = pytest.importorskip('iterbackbone.hub')
    hub.HubModel(NAME, **options).save_pretrained(tmp_path)
    check(hub.HubModel.from_pretrained(tmp_path), frozen)
