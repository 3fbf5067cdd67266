"""The halting biases are left out of weight decay, with every optimizer and every grouping."""

from __future__ import annotations

import copy

import mmpretrain.engine  # noqa: F401  its optimizers
import pytest
import torch
from mmengine.optim import build_optim_wrapper

from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.training.optimizers import exempt_halting_biases
from tests.support.tiny_training import TinyClassifier, train_tiny

BY_NAME = dict(custom_keys={'halting.fc2.bias': dict(decay_mult=0.0)})
OPTIMIZERS = {
    'SGD': dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1),
    'Adam': dict(type='Adam', lr=0.01, weight_decay=0.1),
    'AdamW': dict(type='AdamW', lr=0.01, weight_decay=0.1),
    'fused': dict(type='AdamW', lr=0.01, weight_decay=0.1, fused=True),
    'ASGD': dict(type='ASGD', lr=0.1, lambd=0.5, weight_decay=0.1),
    'ASGD alone': dict(type='ASGD', lr=0.1, lambd=0.5, weight_decay=0.0),
    'NAdam': dict(type='NAdam', lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    'LARS': dict(type='mmpretrain.LARS', lr=0.5, momentum=0.9, weight_decay=0.1),
    'Lamb': dict(type='mmpretrain.Lamb', lr=0.01, weight_decay=0.1),
}
GROUPS = {  # of a config: one, or one for each parameter
    'one': None,
    'each': dict(custom_keys={'backbone': dict(lr_mult=0.5)}),
    'norms': dict(norm_decay_mult=0.0),
}


def steps(model, wrapper, count=3):
    """Parameters after a few steps on the same gradients."""
    for step in range(count):
        torch.manual_seed(step)
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        wrapper.optimizer.step()
    return dict(model.named_parameters())


def wrapper_of(model, optimizer, paramwise):
    cfg = dict(optimizer=optimizer)
    if paramwise:
        cfg['paramwise_cfg'] = paramwise
    return build_optim_wrapper(model, cfg)


def seen(wrapper):
    """The groups as schedulers and checkpoints see them."""
    groups = wrapper.optimizer.state_dict()['param_groups']
    return [(group['params'], group['lr'], group['weight_decay']) for group in groups]


@pytest.mark.parametrize('paramwise', GROUPS)
@pytest.mark.parametrize('name', OPTIMIZERS)
def test_only_the_biases_step_as_without_decay(name, paramwise):
    start = TinyClassifier()
    ours, decayed, undecayed = (copy.deepcopy(start) for _ in range(3))
    options, groups = OPTIMIZERS[name], GROUPS[paramwise]
    wrapper = wrapper_of(ours, options, groups)
    before = seen(wrapper)
    exempt_halting_biases(wrapper, ours)
    found = steps(ours, wrapper)
    assert seen(wrapper) == before
    all_decayed = steps(decayed, wrapper_of(decayed, options, groups))
    nothing = {key: 0.0 for key in ('weight_decay', 'lambd') if key in options}
    none_decayed = steps(undecayed, wrapper_of(undecayed, {**options, **nothing}, groups))
    for key, value in found.items():
        is_bias = key.endswith('halting.fc2.bias')
        expected = none_decayed if is_bias else all_decayed
        torch.testing.assert_close(value, expected[key], rtol=1e-6, atol=1e-8, msg=key)
        assert not is_bias or not torch.equal(value, all_decayed[key])


def test_a_step_that_raised_leaves_nothing_split():
    model = TinyClassifier()
    wrapper = wrapper_of(model, OPTIMIZERS['SGD'], None)
    before = seen(wrapper)
    exempt_halting_biases(wrapper, model)
    fail = wrapper.optimizer.register_step_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        steps(model, wrapper)
    fail.remove()
    steps(model, wrapper)
    assert seen(wrapper) == before


def test_with_a_scaled_loss():
    """As AMP in float16 steps."""
    model, scaler = TinyClassifier(), torch.amp.GradScaler('cpu')
    wrapper = wrapper_of(model, OPTIMIZERS['AdamW'], None)
    exempt_halting_biases(wrapper, model)
    bias, weight = model.backbone.stages[0].blocks[0].halting.fc2.bias, model.head.weight
    before = bias.item(), weight.clone()
    scaler.scale(sum(0 * p.sum() for p in model.parameters())).backward()
    scaler.step(wrapper.optimizer)
    assert bias.item() == before[0]
    torch.testing.assert_close(weight, 0.999 * before[1])


def test_inside_zero_redundancy_optimizer():
    torch.distributed.init_process_group(
        'gloo', store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    try:
        model = TinyClassifier()
        cfg = dict(type='ZeroRedundancyOptimizer', optimizer_type='SGD', lr=0.1, weight_decay=0.1)
        wrapper = wrapper_of(model, cfg, None)
        exempt_halting_biases(wrapper, model)
        bias, weight = model.backbone.stages[0].blocks[0].halting.fc2.bias, model.head.weight
        before = bias.item(), weight.clone()
        model.zero_grad()
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        wrapper.optimizer.step()
        assert bias.item() == before[0]
        torch.testing.assert_close(weight, 0.99 * before[1])
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    ('optimizer', 'accumulate'),
    [('SGD', 2), ('AdamW', 1)],
)
def test_a_training_and_its_resumption(optimizer, accumulate, tmp_path):
    """Held units have no gradient, so all that could move their biases is decay."""
    options = dict(
        optim_wrapper=dict(optimizer=OPTIMIZERS[optimizer], accumulative_counts=accumulate),
        param_scheduler=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=8)],
    )

    def train(folder, **more):
        torch.manual_seed(0)
        _, runner = train_tiny(tmp_path / folder, PonderCostHook(halting_warmup=1.0), **options, **more)
        return runner.model.state_dict()

    whole = train('whole', max_iters=8)
    resumed = train('resumed', max_iters=8, load_from=str(tmp_path / 'whole/iter_4.pth'), resume=True)
    for key, value in whole.items():
        torch.testing.assert_close(resumed[key], value, rtol=0, atol=0, msg=key)
    initial = TinyClassifier().state_dict()
    for key in (key for key in whole if key.endswith('halting.fc2.bias')):
        assert torch.equal(whole[key], initial[key])
