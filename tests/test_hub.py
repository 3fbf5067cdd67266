"""Hugging Face's folders of models: written, read, refused. Nothing is sent."""

from __future__ import annotations

import json

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

from iterbackbone import create_model
from iterbackbone.core.budget_table import BudgetTable, Setting
from iterbackbone.hub import HubModel
from iterbackbone.pretrained.index import FOLDER_VARIABLE, find_weights

NAME = 'iterative_resnet50_w32.tiny_imagenet'
SMALL = dict(name='iterative_resnet101_small', base_channels=4, num_classes=5)
X = torch.rand(2, 3, 64, 64)


@pytest.mark.parametrize(
    'options',
    [
        SMALL,
        dict(name=NAME, pretrained=True),
        dict(name=NAME, pretrained=True, features_only=True, in_chans=1, out_indices=(0, 2)),
        dict(SMALL, num_classes=0, blocks_per_stage=2),
    ],
)
def test_a_folder_gives_the_model_back(options, tmp_path):
    model = HubModel(**options).eval()
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        'README.md',
        'config.json',
        'model.safetensors',
    }
    loaded = HubModel.from_pretrained(tmp_path)
    x = X[:, : options.get('in_chans', 3)]
    assert all(torch.equal(a, b) for a, b in zip(loaded(x), model(x), strict=True))
    assert loaded.backbone.pretrained_cfg == model.backbone.pretrained_cfg
    assert type(loaded.model) is type(create_model(**{**options, 'pretrained': False}))


def test_none_of_the_packages_weights_are_needed(tmp_path, monkeypatch):
    HubModel(NAME, pretrained=True).save_pretrained(tmp_path)
    config = json.loads((tmp_path / 'config.json').read_text())
    assert config['name'] == 'iterative_resnet50'
    assert 'pretrained' not in config
    monkeypatch.setattr('iterbackbone.pretrained.index.read_index', lambda folder: {})
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    loaded = HubModel.from_pretrained(tmp_path)
    assert loaded.model.num_classes == 200


def test_the_card_names_licence_and_facts(tmp_path):
    HubModel(NAME, pretrained=True).save_pretrained(tmp_path)
    card = ModelCard.load(tmp_path / 'README.md')
    assert card.data.library_name == 'iterbackbone'
    assert (card.data.license, card.data.license_name) == ('other', find_weights(NAME).license)
    assert "HubModel.from_pretrained('NAME')" in card.text
    assert '- base_channels: 32\n' in card.text
    HubModel(**SMALL).save_pretrained(tmp_path / 'free')
    assert ModelCard.load(tmp_path / 'free/README.md').data.license is None


def test_a_new_classifier_and_fitted_halting_are_kept(tmp_path):
    model = HubModel(**SMALL)
    model.model.reset_classifier(7)
    model.backbone.set_budget_table(BudgetTable.of([(0.5, Setting((0.0,) * 4, (3, 4, 23, 3)))]))
    model.save_pretrained(tmp_path)
    loaded = HubModel.from_pretrained(tmp_path)
    assert loaded.model.num_classes == 7
    loaded.backbone.set_budget(share=0.5)


@pytest.mark.parametrize('key', ['model.backbone.stem.conv.weight', 'model.head.fc.bias'])
def test_a_folder_with_a_missing_tensor_is_refused(key, tmp_path):
    HubModel(**SMALL).save_pretrained(tmp_path)
    state = load_file(tmp_path / 'model.safetensors')
    del state[key]
    save_file(state, tmp_path / 'model.safetensors')
    with pytest.raises(RuntimeError, match=f'Missing key.*{key}'):
        HubModel.from_pretrained(tmp_path)


def test_wrong_options():
    with pytest.raises(ValueError, match='did you mean iterative_resnet50'):
        HubModel('iterative_resnet5')
    with pytest.raises(TypeError, match='norm_layer must be what JSON can hold, got <class'):
        HubModel('iterative_resnet50', norm_layer=torch.nn.BatchNorm2d)


def test_a_folder_without_config(tmp_path):
    HubModel(**SMALL).save_pretrained(tmp_path)
    (tmp_path / 'config.json').unlink()
    with pytest.raises(ValueError, match=f'{tmp_path} must have the config.json of a saved HubModel'):
        HubModel.from_pretrained(tmp_path)


def test_random_weights_claim_nothing(tmp_path):
    HubModel(NAME, num_classes=10).save_pretrained(tmp_path)
    card = ModelCard.load(tmp_path / 'README.md')
    assert card.data.license is None
    assert 'iterbackbone://' not in card.text
