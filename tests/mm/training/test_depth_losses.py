"""Losses by depth beside models that change what they are given."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from iterbackbone.mm import AnytimeHook
from iterbackbone.mm.training.depth_losses import evaluating
from tests.support.tiny_training import TinyClassifier, TinyImages, endless, train_tiny


class Consuming(TinyClassifier):
    """As some heads do, it changes its samples, and its weights in place."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        with torch.no_grad():
            self.head.weight.div_(self.head.weight.norm())
        labels = data_samples.pop('labels') if mode == 'loss' else None
        return super().forward(inputs, labels, mode)


class DictImages(TinyImages):
    def __getitem__(self, i):
        image, label = super().__getitem__(i)
        return dict(inputs=image, data_samples=dict(labels=label))


class Bfloat16Wrapper(OptimWrapper):
    """Autocast on the CPU, which keeps the weights that it has cast."""

    @contextmanager
    def optim_context(self, model):
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


@pytest.mark.parametrize('wrapper', [OptimWrapper, Bfloat16Wrapper])
def test_training_does_not_notice_a_measurement(tmp_path, wrapper):
    runs = []
    for every in (1, 0):
        torch.manual_seed(0)
        model = Consuming(norm_eval=True)
        options = dict(
            model=model,
            randomness=dict(seed=3),
            optim_wrapper=wrapper(torch.optim.SGD(model.parameters(), lr=0.1)),
            train_dataloader=endless(DictImages(8), 4),
        )
        runs.append(train_tiny(tmp_path / str(every), AnytimeHook(measure_every=every), **options)[0])
    for step, other in zip(*runs, strict=True):
        assert step['outputs'] == pytest.approx(other['outputs'], rel=1e-4)
        assert step['grads'].keys() == other['grads'].keys()
        for name, grad in other['grads'].items():
            torch.testing.assert_close(step['grads'][name], grad, rtol=1e-3, atol=1e-6)


class ABN(nn.BatchNorm2d):
    """As other packages name a norm with its activation."""


class NormHead(nn.Sequential):
    """No norm, whatever its name."""


def test_norms_are_told_by_their_class_and_heads_stay():
    model = nn.Sequential(ABN(2), NormHead(nn.Conv2d(2, 2, 1)), nn.Dropout(), nn.InstanceNorm2d(2))
    with evaluating(model):
        assert [part.training for part in model] == [False, True, False, False]
        assert model[1][0].training
    assert all(part.training for part in model.modules())


def test_a_measurement_cuts_no_depth_of_the_training():
    """Evaluation stops where training has stopped so far; training itself does not."""
    backbone = TinyClassifier().backbone
    for block in backbone.iterative_blocks():
        block.norm1[0].num_batches_tracked.fill_(1)
        block.norm1[0].running_mean.fill_(1.0)
    with evaluating(backbone), pytest.warns(UserWarning, match='ran at most 1 of its'):
        backbone(torch.rand(2, 3, 32, 32))
    assert list(chain(*backbone.limits())) == list(backbone.max_iterations)


class Drawing(TinyClassifier):
    """As a head that samples regions or points: its loss is drawn, whatever the depth."""

    def forward(self, inputs, labels=None, mode='tensor'):
        found = super().forward(inputs, labels, mode)
        return {'loss_drawn': 0 * found['loss_cls'] + torch.rand(())} if mode == 'loss' else found


def test_all_depths_see_the_same_draws(tmp_path):
    (step,), _ = train_tiny(tmp_path, AnytimeHook(measure_every=1), max_iters=1, model=Drawing())
    names = ('lowest', 'middle', 'full')
    lowest, *others = (step['scalars'][f'train/loss_at_{name}'] for name in names)
    assert lowest > 0
    assert others == [lowest, lowest]
