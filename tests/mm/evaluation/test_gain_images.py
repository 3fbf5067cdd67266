"""The panel "Does adapting pay?" at each evaluation, in mmengine's visualizer backends."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from iterbackbone.mm.evaluation.budget_runs import BudgetRuns
from iterbackbone.mm.evaluation.logged_evaluation import LoggedEvaluation
from iterbackbone.mm.evaluation.summary import summarise_gain
from iterbackbone.mm.traces import TraceCollector
from iterbackbone.report.evaluation import load_evaluation
from tests.support.classifier_runs import classifier_run
from tests.support.gain_logs import planted_logs
from tests.support.networks import varied
from tests.support.openmmlab import detector_config, read_log

STATIC = ['1-1-1-1', '2-2-3-2', '2-3-4-2', '3-4-6-3']
PANEL = 'val_does_adapting_pay'


class StandIn(ModuleType):
    """As much of wandb as mmengine's backend calls."""

    def __init__(self):
        super().__init__('wandb')
        self.logged = {}
        self.run = self.config = self
        self.Image = lambda image: image

    def init(self, **_):
        return self

    def update(self, *_, **__):
        """Of the config."""

    define_metric = log_code = finish = join = update

    def log(self, values, **_):
        self.logged |= values


@pytest.fixture(scope='module', autouse=True)
def _no_pictures():
    """Here they are drawn."""


@pytest.fixture(scope='module')
def trained(shapes_root, tmp_path_factory):
    """One epoch with a validation whose images halt at their own depths, and the stand-in."""
    cfg = detector_config(shapes_root, tmp_path_factory.mktemp('gain'))
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
    cfg.custom_hooks[0].update(halting_warmup=0.0, ramp=0.0)
    (hook,) = [hook for hook in cfg.custom_hooks if hook['type'].endswith('IterationLogHook')]
    hook['gain_images'] = 5
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.model.backbone.norm_eval = True
    backends = [dict(type=f'{name}VisBackend') for name in ('Local', 'Tensorboard', 'Wandb')]
    cfg.visualizer.update(name='gain', vis_backends=backends)
    wandb = StandIn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, 'wandb', wandb)
        patch.setattr('iterbackbone.stats.gain.SET_RESAMPLES', 100)
        runner = Runner.from_cfg(cfg)
        batches = runner.build_dataloader(cfg.val_dataloader)
        inputs = [runner.model.data_preprocessor(batch)['inputs'] for batch in batches]
        varied(runner.model.backbone, torch.cat(inputs))
        runner.train()
    return runner, wandb


@pytest.fixture(scope='module')
def folders(trained):
    return Path(trained[0].log_dir, 'iterations', 'val_epoch_1_budgets')


def test_each_budget_has_a_log_of_all_images(trained, folders):
    assert sorted(path.name for path in folders.iterdir()) == [*STATIC, 'policy']
    whole, predictions, _ = read_log(folders.with_name('val_epoch_1'))
    for name in STATIC:
        records, _, meta = read_log(folders / name)
        assert [r['img_id'] for r in records] == [r['img_id'] for r in whole]
        assert {tuple(r['iterations']) for r in records} == {tuple(map(int, name.split('-')))}
        assert 'num_images' not in meta['dataset']
        assert load_evaluation(folders / name).problems == []
    records, found, _ = read_log(folders / 'policy')
    assert (records, found) == (whole, predictions)  # the runs before leave nothing behind
    assert len({tuple(r['iterations']) for r in records}) > 1
    assert trained[0].model.backbone.trace.iterations[0].tolist() == records[-1]['iterations']


def test_tensorboard_and_wandb_get_both_pictures_and_the_gain(trained, folders):
    event_accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    runner, wandb = trained
    found = event_accumulator.EventAccumulator(str(Path(runner.log_dir, 'vis_data')))
    found.Reload()
    assert {'val_iterations_and_objects', PANEL} <= set(found.Tags()['images'])
    (panel,) = found.Images(PANEL)
    summary = summarise_gain(folders / 'policy', [folders / name for name in STATIC])
    assert (panel.step, panel.width, panel.height) == (1, 3 * 720, len(summary.picture))
    (event,) = found.Scalars('val/gain')
    assert event.value == pytest.approx(summary.scalars['gain'])
    assert {'val_iterations_and_objects', PANEL, 'val/gain_low'} <= wandb.logged.keys()
    assert wandb.logged[PANEL].shape == summary.picture.shape


def test_some_images_are_evenly_spread(shapes_root, tmp_path):
    cfg = detector_config(shapes_root, tmp_path)
    cfg.custom_hooks = [dict(type='iterbackbone.IterationLogHook', gain_images=2)]
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.default_hooks.pop('ponder', None)
    cfg.visualizer['name'] = cfg.experiment_name = 'some images'
    runner = Runner.from_cfg(cfg)
    runner.test()
    logs = Path(runner.log_dir, 'iterations')
    whole, _, _ = read_log(logs / 'test_epoch_0')
    records, _, _ = read_log(logs / 'test_epoch_0_budgets' / '1-1-1-1')
    assert [r['img_id'] for r in records] == [r['img_id'] for r in whole][::2]


def test_a_planted_gain_is_summarised(tmp_path):
    (policy,), menu = planted_logs(tmp_path)
    found = summarise_gain(policy, menu)
    assert 'the policy scores more than the best mixture of two static budgets' in found.line
    assert found.line.endswith(str(policy.parent))
    assert found.scalars['gain_low'] > 0
    assert found.picture.dtype == np.uint8


def test_a_budget_that_raises_leaves_the_model_as_it_was(tmp_path):
    runner = classifier_run(tmp_path)
    model = runner.model.eval()
    collector = TraceCollector(runner.model)
    evaluation = LoggedEvaluation(runner, collector, 'val', dict(epoch=0, iter=0))
    runs = BudgetRuns(runner, 'val', evaluation, 5)
    batch = next(iter(runner.val_loop.dataloader))
    full = model(torch.stack(batch['inputs'])), model.backbone.iterations()
    handle = model.neck.register_forward_pre_hook(Mock(side_effect=MemoryError))
    with pytest.raises(MemoryError):
        runs.run(0, batch)
    collector.detach()
    handle.remove()
    assert torch.equal(model(torch.stack(batch['inputs']))[0], full[0][0])
    assert torch.equal(model.backbone.iterations(), full[1])


def test_static_budgets_are_what_their_names_say_under_a_budget(tmp_path):
    runner = classifier_run(tmp_path)
    backbone = runner.model.eval().backbone
    backbone.set_budget(max_iterations=1)
    collector = TraceCollector(runner.model)
    evaluation = LoggedEvaluation(runner, collector, 'val', dict(epoch=0, iter=0))
    runs = BudgetRuns(runner, 'val', evaluation, 5)
    for index, batch in enumerate(runner.val_loop.dataloader):
        runs.run(index, batch)
    ((folders, _),) = runs.publish(runner)
    found = {path.name: {tuple(r['iterations']) for r in read_log(path)[0]} for path in folders}
    assert found == {
        '1-1': {(1, 1)},
        '1-2': {(1, 2)},
        '2-2': {(2, 2)},
        '2-3': {(2, 3)},
        'policy': {(1, 1)},
    }
    assert backbone.limits() == [[1], [1]]
    stated = {path.name: read_log(path)[2]['budget']['caps'] for path in folders}
    assert stated == {path.name: None for path in folders} | {'policy': [1, 1]}


@pytest.mark.parametrize('images', [-1, 1.5, True])
def test_wrong_numbers_are_named(images):
    from iterbackbone.mm import IterationLogHook

    with pytest.raises((TypeError, ValueError), match='gain_images'):
        IterationLogHook(gain_images=images)
