"""From a checkpoint to a file, a card and an entry: all, or none."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import sys

import pytest
import torch
from safetensors import safe_open

from iterbackbone import create_model, list_models
from iterbackbone.pretrained.index import read_index
from tests.support.pretrained import CLASSES, CLASSIFIER, FACTS, arguments, pack, pack_weights, state_of

NAME = 'tiny_net.toy'
KERNEL, VARIANCE = 'backbone.stem.conv.weight', 'backbone.stem.norm.running_var'


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(args, capsys):
    with pytest.raises(SystemExit, match='2'):
        pack_weights.main(args)
    return capsys.readouterr().err


def test_what_is_written(tmp_path, capsys):
    pack(tmp_path)
    assert f'iterbackbone://{NAME}' in capsys.readouterr().out
    content = (tmp_path / f'{NAME}.safetensors').read_bytes()
    weights = read_index(tmp_path)[NAME]
    assert weights.sha256 == hashlib.sha256(content).hexdigest()
    assert weights.bytes == len(content)
    assert (weights.task, weights.classes) == ('classification', CLASSES)
    assert (weights.mean, weights.std, weights.color_order) == ([127.0] * 3, [128.0] * 3, 'RGB')
    with safe_open(tmp_path / f'{NAME}.safetensors', 'pt') as file:
        assert file.get_tensor(KERNEL).dtype == torch.float16
        assert file.get_tensor(VARIANCE).dtype == torch.float32
    card = (tmp_path / f'{NAME}.md').read_text()
    for fact in (NAME, *FACTS['figures'], FACTS['license'], FACTS['data'], FACTS['not_for']):
        assert fact in card


def test_the_same_checkpoint_gives_the_same_files(tmp_path):
    for name in 'ab':
        pack(tmp_path / name)
    assert files(tmp_path / 'a') == files(tmp_path / 'b')


def test_packed_weights_can_be_packed_again(tmp_path, monkeypatch):
    pack(tmp_path)
    monkeypatch.setenv('ITERBACKBONE_WEIGHTS', str(tmp_path))
    args = arguments(tmp_path, CLASSIFIER, {}, 'again.toy')
    pack_weights.main([f'iterbackbone://{NAME}', *args[1:]])
    assert len({weights.sha256 for weights in read_index(tmp_path).values()}) == 1


def test_others_stay_and_the_same_name_is_replaced(tmp_path):
    pack(tmp_path, 'other_net.toy')
    pack(tmp_path)
    other = read_index(tmp_path)['other_net.toy']
    pack(tmp_path, facts={**FACTS, 'license': 'MIT'})
    known = read_index(tmp_path)
    assert list(known) == ['other_net.toy', NAME]
    assert known['other_net.toy'] == other
    assert known[NAME].license == 'MIT'


def test_classes_may_be_a_fact(tmp_path):
    pack(tmp_path, classes=None, facts={**FACTS, 'classes': CLASSES[::-1]})
    assert read_index(tmp_path)[NAME].classes == CLASSES[::-1]


def changed(key, value):
    cfg = copy.deepcopy(CLASSIFIER)
    cfg['model']['backbone'][key] = value
    return cfg


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(name='tiny_net'), 'must be NETWORK.TAG'),
        (dict(name='../tiny.toy'), 'must be NETWORK.TAG'),
        (dict(name='iterative_resnet50.toy'), "must not be that of the paper's networks"),
        (dict(cfg=changed('base_channels', 8)), 'does not fit'),
        (dict(cfg=changed('norm_cfg', dict(type='GN', num_groups=2))), 'norm_cfg must be BN or SyncBN'),
        (dict(facts={'license': 'MIT'}), '--facts: .* must have color_order, commit, data'),
        (dict(facts={**FACTS, 'color_order': 'rgb'}), "color_order must be RGB or BGR, got 'rgb'"),
        (dict(facts={**FACTS, 'figures': ['81%']}), 'figures must be texts by name, got'),
        (dict(cfg=changed('norm_cfg', dict(type='BN', eps=1e-3))), 'norm_cfg must be .* of eps 1e-5'),
        (dict(classes=None), '--facts must have classes'),
        (dict(state={'a': torch.zeros(1)}), 'does not fit'),
    ],
)
def test_what_is_refused_changes_nothing(change, message, tmp_path, capsys):
    pack(tmp_path)
    before = files(tmp_path)
    cfg = change.get('cfg', CLASSIFIER)
    given = {'cfg': cfg, 'state': state_of(CLASSIFIER), 'name': NAME, **change}
    if 'norm_cfg' in cfg['model']['backbone']:
        given['state'] = state_of(cfg)
    error = refused(arguments(tmp_path, **given), capsys)
    assert re.search(message, error), error
    assert files(tmp_path) == before


def test_too_large_a_file_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(pack_weights.MOST_BYTES, 'classification', 1000)
    args = arguments(tmp_path, CLASSIFIER, state_of(CLASSIFIER), NAME)
    assert 'must have at most 1000 bytes' in refused(args, capsys)
    assert files(tmp_path) == {}


def test_what_float16_cannot_hold_is_refused(tmp_path, capsys):
    state = state_of(CLASSIFIER)
    state[KERNEL][0] = 70000.0
    assert f'{KERNEL} must be below 65504' in refused(
        arguments(tmp_path, CLASSIFIER, state, NAME), capsys
    )
    state[KERNEL][0], state[VARIANCE][0] = 0.0, 70000.0
    pack_weights.main(arguments(tmp_path, CLASSIFIER, state, NAME))
    assert read_index(tmp_path)[NAME].read()[VARIANCE][0] == 70000.0


def test_a_full_disk_changes_nothing(tmp_path, capsys):
    pack(tmp_path)
    before = files(tmp_path)
    (tmp_path / 'index.json.part').symlink_to('/dev/full')
    args = arguments(tmp_path, CLASSIFIER, state_of(CLASSIFIER, seed=1), NAME)
    assert 'No space left' in refused(args, capsys)
    assert files(tmp_path) == before


def test_averaged_weights_are_what_mmengine_saves_first(tmp_path):
    """Its EMAHook swaps them: the state dict is the average."""
    state = state_of(CLASSIFIER)
    args = arguments(tmp_path, CLASSIFIER, state, NAME)
    checkpoint = torch.load(args[0])
    last = {f'module.{key}': x + 1 for key, x in state.items()}
    torch.save({**checkpoint, 'ema_state_dict': last}, args[0])
    pack_weights.main(args)
    read = read_index(tmp_path)[NAME].read()
    assert torch.equal(read[VARIANCE], state[VARIANCE])
    assert json.loads((tmp_path / 'index.json').read_text()).keys() == {NAME}


def with_entry(entry):
    cfg = changed('entry', entry)
    shape = dict(num_stages=2, max_iterations=(2, 2), strides=(1, 2), out_indices=(1,))
    cfg['model']['backbone'].update(shape)
    cfg['model']['head']['in_channels'] = 16
    return cfg


def test_an_entry_of_timm_is_built_again(tmp_path, monkeypatch):
    pytest.importorskip('timm')
    options = dict(model_name='tf_efficientnet_lite0', feature_cls='getter', out_indices=(2,))
    cfg = with_entry(dict(type='mmseg.TIMMBackbone', pretrained=False, **options))
    state = pack(tmp_path, cfg=cfg)
    monkeypatch.setenv('ITERBACKBONE_WEIGHTS', str(tmp_path))
    model = create_model(NAME, pretrained=True, features_only=True).eval()
    assert {f'backbone.{name}' for name in model.state_dict()} <= state.keys()
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[f'backbone.{name}'])
    assert model.feature_info.reduction() == [8, 16]
    with pytest.raises(ValueError, match='the arguments must fit the weights'):
        create_model(NAME, pretrained=True, features_only=True, entry=None)
    with torch.device('meta'):
        create_model(NAME, features_only=True)
    assert NAME in list_models(pretrained=True)
    monkeypatch.setitem(sys.modules, 'timm', None)
    assert NAME not in list_models() + list_models(pretrained=True)
    with pytest.raises(ImportError, match='import of timm halted'):
        create_model(NAME, pretrained=True)


def test_another_entry_is_refused(tmp_path, capsys):
    cfg = with_entry(
        dict(
            type='mmdet.ResNet',
            depth=18,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(1,),
        )
    )
    error = refused(arguments(tmp_path, cfg, state_of(cfg), NAME), capsys)
    assert 'entry must be a TIMMBackbone, as create_model has it, got mmdet.ResNet' in error
