"""Trains one network for every budget: each row of a batch stops at a depth drawn for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ...core.depths import DISTRIBUTIONS, draw_depths
from ...core.halting import never_halt
from ...core.validation import check_choice, check_int, check_options, check_share
from ...registry import HOOKS
from ..traces import is_trainable, iterative_modules
from .depth_losses import DepthLosses
from .full_depth_teacher import OPTIONS, FullDepthTeacher
from .ponder_hook import PonderCostHook
from .preparation import detach, prepare


@HOOKS.register_module()
class AnytimeHook(Hook):
    """Anytime training: every row (image or RoI) stops at a depth drawn for it, block by block.

    A row's output is the state of its last iteration. BatchNorm sees the mixture of depths that
    it meets in evaluation. The halting units, which PonderCostHook would train, learn nothing: their
    biases are set so low that the trained network runs all iterations unless a budget stops it; fit
    them afterwards (``tools/fit_halting.py``). Frozen copies of a network draw no depths. Draws depend
    on the seed, the rank and the training step only, so that a resumed run goes on as an
    uninterrupted one.

    Args:
        distribution: ``'mixed'`` or ``'log_uniform'``, see
            :func:`~iterbackbone.core.depths.draw_depths`.
        full_share: Probability of a row to run all iterations instead.
        measure_every: Training steps between two measurements of the batch's loss at the lowest,
            a middle and full depth, logged as ``train/loss_at_lowest`` and so on; the last step of
            an epoch is measured, too. Each repeats the forward pass in evaluation mode: choose 0, for
            none, where that changes the model, as with momentum encoders.
        teacher: Options of :class:`~.full_depth_teacher.FullDepthTeacher`, {} for its defaults: each
            image comes twice, once at full depth, and that copy teaches the other; twice the cost.
            RoIs draw their depths as ever.
    """

    priority = 'ABOVE_NORMAL'  # before the weights are averaged or saved

    def __init__(
        self,
        distribution: str = 'mixed',
        full_share: float = 0.15,
        measure_every: int = 50,
        teacher: dict[str, Any] | None = None,
    ) -> None:
        check_choice('distribution', distribution, DISTRIBUTIONS)
        self.distribution = distribution
        self.full_share = check_share('full_share', full_share)
        self.measure_every = check_int('measure_every', measure_every, 0)
        self.losses = DepthLosses()
        options = check_options('teacher', teacher, OPTIONS)
        self.teacher = None if teacher is None else FullDepthTeacher(**options)

    def before_train(self, runner: Runner) -> None:
        """Attach to the model; ValueError as :func:`~.preparation.prepare`."""
        if any(isinstance(hook, PonderCostHook) for hook in runner.hooks):
            raise ValueError(
                'AnytimeHook holds the halting units that PonderCostHook trains: use one of them, '
                "such as by ponder_cost=dict(_delete_=True, type='iterbackbone.AnytimeHook')"
            )
        model, handles = prepare(runner, AnytimeHook)
        self._modules = [module for module in iterative_modules(model) if is_trainable(module)]
        self._seed, self._step, self._calls = (runner.seed or 0, get_rank()), 0, 0
        for module in self._modules:
            module.end_fit()
        self._silence()
        if self.teacher is not None:
            handles += self.teacher.attach(model)
        for module in self._modules:
            handles.append(module.register_forward_pre_hook(self._draw))
            handles.append(module.register_forward_hook(self._forget, always_call=True))
        handles.append(model.register_forward_pre_hook(self.losses.measure, with_kwargs=True))
        handles.append(model.register_forward_hook(self._drop_traces))

    def before_train_iter(self, runner: Runner, batch_idx: int, **_: Any) -> None:
        self._step, self._calls = runner.iter, 0
        last = self.end_of_epoch(runner.train_dataloader, batch_idx)
        every = self.measure_every
        self.losses.due = every > 0 and (last or runner.iter % every == 0)

    def after_train_iter(self, runner: Runner, **_: Any) -> None:
        """Undo what weight decay did to the held units; log the losses by depth."""
        self._silence()
        self.losses.publish(runner)

    def after_train(self, runner: Runner) -> None:
        detach(runner)

    def _silence(self) -> None:
        for module in self._modules:
            for unit in module.halting_units():
                never_halt(unit)

    def _draw(self, module: AdaptiveModule, inputs: tuple[Tensor, ...]) -> None:
        depths, rows = None, len(inputs[0])
        if self.losses.share is not None:
            depths = self.losses.depths(module, rows)
        elif module.training:
            words = [*self._seed, self._step, self._calls]
            seed = int(np.random.SeedSequence(words).generate_state(1)[0])
            generator = torch.Generator().manual_seed(seed)
            limits = module.max_iterations
            depths = draw_depths(rows, limits, self.distribution, self.full_share, generator)
            if self.teacher is not None and not module.of_regions:
                depths[: rows // 2] = torch.tensor(limits)
            self._calls += 1
        module.force_depths(depths)

    def _forget(self, module: AdaptiveModule, *_: Any) -> None:
        module.force_depths(None)

    def _drop_traces(self, model: nn.Module, *_: Any) -> None:
        if model.training:
            for module in self._modules:
                module.drop_trace()  # nobody asks for its ponder cost
