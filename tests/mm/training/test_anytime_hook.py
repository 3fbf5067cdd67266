"""AnytimeHook inside a real small Runner."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from iterbackbone.core.budget_table import BudgetTable, Setting
from iterbackbone.core.depths import draw_depths
from iterbackbone.mm import AnytimeHook, PonderCostHook
from iterbackbone.mm.traces import unwrapped
from iterbackbone.registry import HOOKS
from tests.support.tiny_training import TinyClassifier, TinyImages, train_tiny


class DepthSpy(Hook):
    """Keeps the iterations of every training call of the backbone."""

    priority = 'VERY_HIGH'  # attached first, so that it sees the traces that AnytimeHook drops

    def __init__(self):
        self.depths = []
        self.outputs = []

    def before_train(self, runner):
        unwrapped(runner.model).backbone.register_forward_hook(self._keep)

    def _keep(self, module, inputs, output):
        if module.training:
            self.depths.append(module.iterations())
            self.outputs.append(output[-1].detach().clone())


def train(tmp_path, max_iters=4, model=None, more_hooks=(), **options):
    torch.manual_seed(0)
    spy = DepthSpy()
    hook = AnytimeHook(**options.pop('hook', {}))
    options = {'randomness': dict(seed=3), **options}
    steps, runner = train_tiny(
        tmp_path, hook, max_iters, model or TinyClassifier(), more_hooks=[*more_hooks, spy], **options
    )
    return steps, runner, spy


def test_rows_stop_where_they_were_drawn(tmp_path):
    _, _, spy = train(tmp_path)
    assert len(spy.depths) == 4
    assert len({tuple(row) for depths in spy.depths for row in depths.tolist()}) > 4
    assert all(((d >= 1) & (d <= torch.tensor([3, 4]))).all() for d in spy.depths)


def test_the_trained_network_runs_everything_and_returns_the_last_state(tmp_path):
    """Whatever weight decay did meanwhile: half of the first step's would already show."""
    steps, runner, _ = train(tmp_path, lr=0.5)
    backbone = unwrapped(runner.model).backbone.eval()
    x = torch.rand(3, 3, 8, 8)
    with torch.no_grad():
        features = backbone(x)
        assert backbone.iterations().tolist() == [[3, 4]] * 3
        backbone.force_depths(torch.tensor([[3, 4]] * 3))
        for found, wanted in zip(features, backbone(x), strict=True):
            torch.testing.assert_close(found, wanted)
    for name, gradient in steps[-1]['grads'].items():
        assert ('halting' not in name) or not gradient.any()
    assert all(step['grads'].keys() == steps[0]['grads'].keys() for step in steps)


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path):
    whole, whole_runner, _ = train(tmp_path / 'whole', 8)
    load_from = str(tmp_path / 'whole' / 'iter_4.pth')
    resumed, runner, _ = train(tmp_path / 'resumed', 8, resume=True, load_from=load_from)
    assert [s['outputs'] for s in resumed] == [s['outputs'] for s in whole[4:]]
    for found, wanted in zip(
        runner.model.state_dict().values(), whole_runner.model.state_dict().values(), strict=True
    ):
        assert torch.equal(found, wanted)


def test_losses_are_those_of_the_batch_at_each_depth(tmp_path):
    """Measured before the step, in evaluation mode; training goes on as if nothing had been."""
    runs = []
    for every in (3, 0):
        torch.manual_seed(0)
        model = TinyClassifier(norm_eval=True)
        runs.append(train(tmp_path / str(every), model=model, hook=dict(measure_every=every))[0])
    steps, others = runs
    assert [s['outputs'] for s in steps] == [s['outputs'] for s in others]
    assert not [key for step in others for key in step['scalars'] if 'loss_at' in key]
    torch.manual_seed(0)
    model = TinyClassifier().eval()
    data = TinyImages(8)
    x = torch.stack([data[i][0] for i in range(4)])
    labels = torch.tensor([data[i][1] for i in range(4)])
    for name, depths in {'lowest': [1, 1], 'middle': [2, 3], 'full': [3, 4]}.items():
        model.backbone.force_depths(torch.tensor([depths] * 4))
        with torch.no_grad():
            wanted = model(x, labels, mode='loss')['loss_cls'].item()
        assert steps[0]['scalars'][f'train/loss_at_{name}'] == pytest.approx(wanted, rel=1e-5)


def test_what_is_logged_is_the_last_measurement(tmp_path):
    """mmengine means over its window whatever has 'loss' in its name."""
    _, runner, _ = train(tmp_path, hook=dict(measure_every=1))
    for name in ('lowest', 'middle', 'full'):
        assert len(runner.message_hub.get_scalar(f'train/loss_at_{name}').data[0]) == 1


def test_a_short_epoch_ends_with_its_own_losses(tmp_path):
    steps, runner, _ = train(tmp_path, hook=dict(measure_every=1000))
    assert len(runner.train_dataloader) == 2
    first, last = (step['scalars']['train/loss_at_full'] for step in steps[:2])
    assert first != last


def test_draws_depend_on_seed_and_step(tmp_path):
    def depths(name, seed):
        return torch.stack(train(tmp_path / name, randomness=dict(seed=seed))[2].depths)

    first = depths('a', 3)
    assert torch.equal(first, depths('b', 3))
    assert not torch.equal(first, depths('c', 4))
    assert not torch.equal(first[0], first[1])


def test_frozen_copies_are_left_alone(tmp_path):
    class Pair(TinyClassifier):
        def __init__(self):
            super().__init__()
            self.teacher = TinyClassifier().backbone.requires_grad_(False)

        def forward(self, inputs, labels=None, mode='tensor'):
            self.teacher(inputs)
            self.seen = self.teacher.iterations()
            return super().forward(inputs, labels, mode)

    _, runner, _ = train(tmp_path, model=Pair())
    model = unwrapped(runner.model)
    assert model.seen.tolist() == [[3, 4]] * 4
    assert model.teacher.stages[0].blocks[0].halting.fc2.bias > -10  # the backbone's is at -20


def test_evaluation_during_training_is_not_forced(tmp_path):
    class Evaluate(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            model = unwrapped(runner.model)
            model.eval()
            with torch.no_grad():
                model(torch.rand(2, 3, 8, 8))
            self.seen = None if model.backbone._last.trace is None else model.backbone.iterations()
            assert all(s.blocks[0].depths is None for s in model.backbone.stages)
            model.train()

    train(tmp_path, more_hooks=[Evaluate()])


def test_a_forward_pass_that_raises_leaves_no_depths(tmp_path):
    class Broken(TinyClassifier):
        def __init__(self):
            super().__init__()
            self.backbone.stages[1].register_forward_hook(self._raise)

        def _raise(self, *_):
            raise RuntimeError('out of memory')

    model = Broken()
    with pytest.raises(RuntimeError, match='out of memory'):
        train(tmp_path, model=model)
    assert all(s.blocks[0].depths is None for s in model.backbone.stages)


def test_a_fitted_checkpoint_loses_its_table(tmp_path):
    model = TinyClassifier()
    model.backbone.set_budget_table(BudgetTable.of([(0.5, Setting((0.0, 0.0), (3, 4)))]))
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'fitted.pth')
    ema = dict(type='EMAHook', momentum=0.1)
    _, runner, _ = train(tmp_path / 'work', load_from=str(tmp_path / 'fitted.pth'), more_hooks=[ema])
    assert not [key for key in runner.model.state_dict() if 'budget_table' in key]


def test_two_hooks_are_refused(tmp_path):
    """One in a base's custom_hooks, one in the default_hooks: the draws of one would not count."""
    with pytest.raises(ValueError, match='two AnytimeHooks'):
        train(tmp_path, more_hooks=[AnytimeHook()])


def test_not_beside_a_ponder_cost(tmp_path):
    with pytest.raises(ValueError, match='PonderCostHook trains: use one') as error:
        train(tmp_path, more_hooks=[PonderCostHook()])
    advice = str(error.value).split('such as by ')[1]
    hook = dict(type='iterbackbone.PonderCostHook', weight=0.1)
    base = Config({'default_hooks': {'ponder_cost': hook}})
    base.dump(tmp_path / 'base.py')
    (tmp_path / 'own.py').write_text(f"_base_ = 'base.py'\ndefault_hooks = dict({advice})\n")
    followed = Config.fromfile(tmp_path / 'own.py').default_hooks.ponder_cost
    assert isinstance(HOOKS.build(followed), AnytimeHook)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'distribution': 'uniform'}, ValueError, "distribution must be one of .*, got 'uniform'"),
        ({'full_share': 1.5}, ValueError, 'full_share must be between 0 and 1'),
        ({'measure_every': -1}, ValueError, 'measure_every must be >= 0'),
        ({'measure_every': 1.5}, TypeError, 'measure_every must be an int'),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        AnytimeHook(**options)


def test_a_model_without_iterative_modules(tmp_path):
    class Plain(TinyClassifier):
        def __init__(self):
            super().__init__()
            self.backbone = torch.nn.Conv2d(3, 8, 1)

    with pytest.raises(ValueError, match='no trainable iterative module'):
        train(tmp_path, model=Plain())


def test_draws_are_those_of_the_function(tmp_path):
    import numpy as np

    _, _, spy = train(tmp_path, max_iters=2, hook=dict(distribution='log_uniform', full_share=0.5))
    seed = int(np.random.SeedSequence([3, 0, 1, 0]).generate_state(1)[0])  # seed, rank, step, call
    generator = torch.Generator().manual_seed(seed)
    wanted = draw_depths(4, (3, 4), 'log_uniform', 0.5, generator)
    assert torch.equal(spy.depths[1], wanted)
