"""model-index.yml and the metafiles, from which mim knows configs, list exactly what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from modelindex.load_model_index import load

from iterbackbone.__main__ import config_names

ROOT = Path(__file__).parents[1]
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())
METAFILES = {path: yaml.safe_load((ROOT / path).read_text()) for path in INDEX['Import']}
MODELS = [model for metafile in METAFILES.values() for model in metafile['Models']]
TRAINING_DATA = {  # by the last part of a config's name
    'cifar10': 'CIFAR-10',
    'cifar10-subset': 'CIFAR-10',
    'cifar100': 'CIFAR-100',
    'in1k': 'ImageNet-1k',
    'voc2007': 'VOC2007',
    'voc2007-320': 'VOC2007',
    'ade20k-512x512': 'ADE20K',
    'shapes': 'generated scenes',
}
ITERATIVE = 'IterativeResNet'


def test_every_metafile_is_imported():
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.glob('configs/*/metafile.yml')}
    assert set(METAFILES) == there


def test_the_configs_are_listed_once_each():
    assert sorted(model['Config'] for model in MODELS) == [f'configs/{name}' for name in config_names()]


@pytest.mark.parametrize('path', METAFILES)
def test_a_metafile_lists_its_own_folder_and_collections(path):
    folder = str(Path(path).parent)
    collections = {each['Name'] for each in METAFILES[path]['Collections']}
    models = METAFILES[path]['Models']
    assert {str(Path(model['Config']).parent) for model in models} == {folder}
    assert {model['In Collection'] for model in models} == collections


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_an_entry_says_what_its_config_is(model):
    name = Path(model['Config']).stem
    architecture = model['Metadata']['Architecture']
    assert model['Name'] == name
    assert model['Metadata']['Training Data'] == TRAINING_DATA[name.split('_')[-1]]
    assert architecture[-1].startswith(ITERATIVE) == ('iterative' in name)
    assert model['In Collection'].startswith(ITERATIVE) == ('iterative' in name)
    assert ('FPN' in architecture) == ('_fpn_' in name)
    depth = architecture[-1].partition('-')[2]
    assert depth in name


def test_results_are_those_measured():
    measured = (ROOT / 'docs/evidence/results.md').read_text()
    metrics = {
        model['Name']: value
        for model in MODELS
        for result in model.get('Results', [])
        for value in result['Metrics'].values()
    }
    assert metrics == {
        'faster-rcnn_iterative-r50-tiny_fpn_shapes': 0.197,
        'upernet_iterative-r50-tiny_shapes': 22.8,
        'upernet_iterative-r50-tiny_voc2007': 5.32,
    }
    assert [value for value in metrics.values() if str(value) not in measured] == []
    assert 'Weights' not in json.dumps(MODELS)  # none are published


def test_mims_reader_finds_every_model_and_its_collection():
    index = load(str(ROOT / 'model-index.yml'))
    collections = {each.name for each in index.collections}
    assert len(collections) == 2 * len(METAFILES)
    assert [model.name for model in index.models] == [model['Name'] for model in MODELS]
    assert {model.in_collection for model in index.models} == collections
