"""The registered modules: same keys as the pure ones, norm_cfg, checkpoints."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import torch
from torch import nn

import iterbackbone
from iterbackbone.core.budget_table import BudgetTable, Setting
from iterbackbone.mm import IterativeResLayer, IterativeResNet
from iterbackbone.mm.checkpoints import weights_for
from tests.support.resnets import RunsCode
from tests.support.tiny_training import train_tiny

TINY = {'base_channels': 4, 'expansion': 2, 'max_iterations': (2, 3, 2, 2)}


def save(model, path, prefix='backbone.'):
    torch.save({'state_dict': {prefix + k: v for k, v in model.state_dict().items()}}, path)
    return str(path)


def pretrained(path, prefix='backbone.'):
    return dict(type='Pretrained', checkpoint=str(path), prefix=prefix)


@pytest.mark.parametrize('options', [{}, {'depthwise': True, 'blocks_per_stage': 2}])
def test_same_keys_as_the_pure_class(options):
    ours, pure = IterativeResNet(**TINY, **options), iterbackbone.IterativeResNet(**TINY, **options)
    assert isinstance(ours, iterbackbone.IterativeResNet)
    assert list(ours.state_dict()) == list(pure.state_dict())
    pure.load_state_dict(ours.state_dict())


@pytest.mark.parametrize('norm_type', ['', 'NoSuchNorm'])
def test_an_unknown_norm_is_named(norm_type):
    with pytest.raises(ValueError, match='norm_cfg must describe a norm of 4 channels'):
        IterativeResNet(**{**TINY, 'base_channels': 4}, norm_cfg=dict(type=norm_type))


def test_norm_cfg_is_built_for_each_iteration():
    net = IterativeResNet(**TINY, norm_cfg=dict(type='GN', num_groups=2))
    norms = net.stages[1].blocks[0].norm3
    assert [type(norm) for norm in norms] == [nn.GroupNorm] * 3
    assert [norm.num_groups for norm in norms] == [2] * 3


def test_norms_without_gradient():
    net = IterativeResNet(**TINY, norm_cfg=dict(type='BN', requires_grad=False))
    assert not any(p.requires_grad for n, p in net.named_parameters() if 'norm' in n)
    assert all(p.requires_grad for n, p in net.named_parameters() if 'conv' in n)


def test_init_weights_without_init_cfg_changes_nothing():
    net = IterativeResNet(**TINY)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.init_weights()
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_pretrained_weights_are_bit_equal(tmp_path):
    trained = iterbackbone.IterativeResNet(**TINY)
    net = IterativeResNet(**TINY, init_cfg=pretrained(save(trained, tmp_path / 'a.pth')))
    net.init_weights()
    expected = trained.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in net.state_dict().items())


def test_c4_parts_take_one_classification_checkpoint(tmp_path):
    trained = iterbackbone.IterativeResNet(**TINY)
    path = save(trained, tmp_path / 'a.pth')
    first = {**TINY, 'max_iterations': (2, 3, 2)}
    backbone = IterativeResNet(**first, num_stages=3, init_cfg=pretrained(path))
    layer = IterativeResLayer(**{**TINY, 'max_iterations': 2}, init_cfg=pretrained(path))
    backbone.init_weights()
    layer.init_weights()
    loaded = {**backbone.state_dict(), **layer.state_dict()}
    expected = trained.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(v, expected[k]) for k, v in loaded.items())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'stem': 'cifar'},
            r'of another shape: stem.conv.weight \(4, 3, 3, 3\) instead of \(4, 3, 7, 7\)',
        ),
        ({'expansion': 4}, 'of another shape: stages.0.transition.conv.weight'),
        ({'max_iterations': (2, 3, 3, 2)}, 'unexpected: stages.2.blocks.0.norm1.2.weight'),
        ({'max_iterations': (2, 3, 1, 2)}, 'missing: stages.2.blocks.0.norm1.1.weight'),
    ],
)
def test_pretrained_of_another_network_is_refused(tmp_path, change, message):
    path = save(iterbackbone.IterativeResNet(**{**TINY, **change}), tmp_path / 'a.pth')
    net = IterativeResNet(**TINY, init_cfg=pretrained(path))
    with pytest.raises(ValueError, match=message):
        net.init_weights()


def test_pretrained_with_a_wrong_prefix_is_refused(tmp_path):
    path = save(iterbackbone.IterativeResNet(**TINY), tmp_path / 'a.pth')
    for prefix in ('encoder.', None):
        net = IterativeResNet(**TINY, init_cfg=pretrained(path, prefix=prefix))
        message = f"prefix {prefix!r} does not fit .*missing.*; with prefix 'backbone.' it fits"
        with pytest.raises(ValueError, match=message):
            net.init_weights()


def test_no_prefix_is_advised_where_none_fits(tmp_path):
    path = save(
        iterbackbone.IterativeResNet(**{**TINY, 'max_iterations': (2, 3, 3, 2)}), tmp_path / 'a.pth'
    )
    with pytest.raises(ValueError, match='does not fit') as caught:
        IterativeResNet(**TINY, init_cfg=pretrained(path, prefix=None)).init_weights()
    assert 'it fits' not in str(caught.value)


def test_stage_four_is_a_leftover_only_where_there_is_no_stage_four(tmp_path):
    trained = iterbackbone.IterativeResNet(**TINY)
    path = save(trained, tmp_path / 'a.pth')
    state = torch.load(path)
    state['state_dict']['backbone.surprise'] = torch.zeros(1)
    torch.save(state, path)
    first = {**TINY, 'max_iterations': (2, 3, 2)}
    with pytest.raises(ValueError, match='1 unexpected: surprise'):
        IterativeResNet(**first, num_stages=3, init_cfg=pretrained(path)).init_weights()


def test_a_fit_of_a_module_that_stands_under_two_names(tmp_path):
    net = iterbackbone.IterativeResNet(**TINY)
    net.set_budget_table(BudgetTable.of([(0.5, Setting.static((1, 1, 1, 1)))]))
    model = nn.ModuleDict({'backbone': net, 'same': net})
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'a.pth')
    net.set_budget_table(None)
    assert 'same.budget_table' in weights_for(model, torch.load(tmp_path / 'a.pth'), 'a.pth')


def test_a_table_of_a_part_that_has_none_is_unexpected(tmp_path):
    path = save(iterbackbone.IterativeResNet(**TINY), tmp_path / 'a.pth')
    state = torch.load(path)
    state['state_dict']['backbone.stages.0.budget_table'] = torch.zeros(1, 9)
    torch.save(state, path)
    with pytest.raises(ValueError, match=r'1 unexpected: stages\.0\.budget_table'):
        IterativeResNet(**TINY, init_cfg=pretrained(path)).init_weights()


def test_a_checkpoint_that_matches_no_key_is_an_error(tmp_path):
    from mmengine.runner import load_checkpoint

    model = nn.Module()
    model.backbone = IterativeResNet(**TINY)
    path = save(iterbackbone.IterativeResNet(**TINY), tmp_path / 'a.pth', prefix='encoder.')
    with pytest.raises(ValueError, match=r"at 'backbone\.': \d+ missing: stem.*use init_cfg"):
        load_checkpoint(model, path)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'stem': 'cifar'}, '1 of another shape: stem.conv.weight'),
        ({'max_iterations': (2, 3, 1, 2)}, r"IterativeResNet at 'backbone\.': .*missing: stages.2"),
        ({'num_stages': 3, 'max_iterations': (2, 3, 2)}, 'missing: stages.3.transition'),
        ({'depth': 50, 'max_iterations': None}, r'unexpected: stages.0.blocks.0.norm1.2.weight'),
        ({'expansion': 4}, 'of another shape: stages.0.transition.conv.weight'),
        ({'blocks_per_stage': 2}, 'unexpected: stages.0.blocks.1.'),
    ],
)
def test_a_checkpoint_that_matches_in_part_is_an_error(tmp_path, change, message):
    """By ``load_from``, where mmengine itself would log it and go on."""
    from mmengine.runner import load_checkpoint

    model = nn.Module()
    model.backbone = IterativeResNet(**TINY)
    path = save(iterbackbone.IterativeResNet(**{**TINY, **change}), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        load_checkpoint(model, path)


def test_a_detector_checkpoint_loads(tmp_path):
    from mmengine.runner import load_checkpoint

    trained, model = iterbackbone.IterativeResNet(**TINY), nn.Module()
    model.backbone = IterativeResNet(**TINY)
    load_checkpoint(model, save(trained, tmp_path / 'a.pth'), strict=True)
    assert torch.equal(model.backbone.stem.conv.weight, trained.stem.conv.weight)


@pytest.fixture
def web_server(tmp_path):
    """The address of a server of the test's folder."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


@pytest.mark.parametrize('prefix', [None, 'backbone.'])
@pytest.mark.parametrize('served', [False, True])
def test_a_checkpoint_that_wants_to_run_code_is_refused(
    tmp_path, monkeypatch, web_server, prefix, served
):
    """mmengine reads such a file again without care, and a download without care at once."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    path, ran = tmp_path / 'a.pth', tmp_path / 'ran'
    state = iterbackbone.IterativeResNet(**TINY).state_dict()
    torch.save({'state_dict': state, 'meta': RunsCode(ran)}, path)
    net = IterativeResNet(
        **TINY, init_cfg=pretrained(f'{web_server}/a.pth' if served else path, prefix)
    )
    with pytest.raises(ValueError, match='is refused: it must hold weights only'):
        net.init_weights()
    assert not ran.exists()


def test_a_checkpoint_of_the_runner_is_read(tmp_path):
    _, runner = train_tiny(tmp_path, None)
    path, options = tmp_path / 'iter_4.pth', {'num_stages': 2, 'max_iterations': (3, 4)}
    net = IterativeResNet(
        stem='cifar', base_channels=4, expansion=1, **options, init_cfg=pretrained(path)
    )
    net.init_weights()
    expected = runner.model.backbone.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in net.state_dict().items())


def test_misspelt_argument_is_named():
    with pytest.raises(TypeError, match='expantion'):
        IterativeResNet(expantion=2)
