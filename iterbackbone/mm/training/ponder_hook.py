"""Adds the ponder cost to the task loss and schedules it over training."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ...core.validation import check_real, check_share
from ...registry import HOOKS
from ..single_hook import refuse_second
from ..traces import (
    Call,
    handles_on,
    is_trainable,
    iterative_modules,
    remove_all,
    trained_calls,
    unwrapped,
)
from .optimizers import exempt_halting_biases
from .ponder_training import PonderTraining

LENGTH = 'ponder_schedule_length'  # in the message hub, which checkpoints carry


@HOOKS.register_module()
class PonderCostHook(Hook):
    """``loss_ponder`` = weight x sum over iterative modules of the mean ponder cost of a row.

    A PyTorch forward hook on the model adds it to the loss dict inside forward, so that
    DDP, AMP and gradient accumulation see it and any detector, segmentor or classifier
    works unchanged. Modules without trainable parameters and calls without gradients (teachers,
    momentum copies) are left out, of the logged cost and of the steering, too. The halting biases
    are left out of weight decay, whatever the optimizer.

    Halting starts in the untrained network at full depth. During the halting warm-up the
    scores are held there and the cost counts nothing; then the units are released and the
    weight ramps up linearly. Both are shares of the whole training. Checkpoints hold its length,
    so a resumed run goes on right, also where it is to end later.

    Also logs, as running means over the logging interval: iterations, their spread and the
    share of one-iteration images per stage, and the ponder cost.

    With ``target`` a share of the MACs is given instead: from the end of the warm-up
    on the halting biases are steered to it (see
    :class:`~iterbackbone.mm.training.budget_controller.BudgetController`), and the measured share is
    logged as ``train/macs_share``, as evaluation would execute it.

    Args:
        weight: Of the ponder cost N + R; 0.005 as in Figurnov et al. 2017 on ImageNet. With a
            ``target`` it only decides which blocks and images the iterations go to.
        halting_warmup: Share of training with held scores; 0 to fine-tune a trained network.
        ramp: Share of training over which the weight then grows from 0.
        target: Mean executed MACs of the iterative modules over those of all iterations, such
            as 0.45; above the share of one iteration everywhere and below 1.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed.
    """

    def __init__(
        self,
        weight: float = 0.005,
        halting_warmup: float = 0.0,
        ramp: float = 0.0,
        target: float | None = None,
    ) -> None:
        self.weight = check_real('weight', weight)
        self.halting_warmup = check_share('halting_warmup', halting_warmup)
        self.ramp = check_share('ramp', ramp)
        if self.halting_warmup + self.ramp > 1.0:
            raise ValueError(f'halting_warmup + ramp must be at most 1, got {halting_warmup} + {ramp}')
        self.target = None if target is None else check_real('target', target)
        if self.target is not None and not 0.0 < self.target < 1.0:
            raise ValueError(f'target must be between 0 and 1, exclusive, or None, got {target}')
        self._weight = 0.0  # of this training step
        self._handles: list[Any] = []

    def before_train(self, runner: Runner) -> None:
        """Attach to the model; ValueError as :func:`prepare`."""
        self._handles = prepare(runner, PonderCostHook)
        self._schedule = PonderSchedule.for_runner(runner, self.halting_warmup, self.ramp)
        model = unwrapped(runner.model)
        self._handles += exempt_halting_biases(runner.optim_wrapper, model)  # may raise: first
        self._training = PonderTraining(runner, self.target)
        self._handles += [
            self._training,
            model.register_forward_pre_hook(self._training.begin_forward),
            model.register_forward_hook(self._add_loss, with_kwargs=True),
        ]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Hold or release the halting units and set the weight."""
        self._weight = self._schedule.weight_share(runner.iter) * self.weight
        self._training.begin_step(runner.iter, self._schedule.held(runner.iter))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Log the running means where the logger speaks: on a GPU reading them waits for it."""
        runner.message_hub.update_scalar('train/ponder_weight', self._weight)
        self._training.end_step(runner)
        scalars = self._training.scalars
        due = self.every_n_inner_iters(batch_idx, scalars.interval)
        if due or self.end_of_epoch(runner.train_dataloader, batch_idx):
            scalars.publish(runner)

    def after_train(self, runner: Runner) -> None:
        """Detach from the model and say which stages do not adapt."""
        self._training.scalars.warn_at_end()
        remove_all(self._handles)

    def _add_loss(self, _: nn.Module, __: tuple, kwargs: dict, output: Any) -> Any:
        if kwargs.get('mode') != 'loss' or not isinstance(output, dict):
            return None
        calls = self._training.take_calls()
        for call in calls:
            call.module.drop_trace()
        return {**output, 'loss_ponder': self._weight * ponder_cost(calls)}


def ponder_cost(calls: list[Call]) -> Tensor:
    """Sum over trained modules of the mean over their rows of the sum over blocks of N + R.

    The ``calls`` are of one forward pass of the model; the rows of a module's calls are one batch.
    A float32 scalar; zero and connected to the graph where a module had no rows.
    """
    rows: dict[AdaptiveModule, list[Tensor]] = {}
    for call in trained_calls(calls):
        rows.setdefault(call.module, []).append(call.trace.ponder_cost.sum(dim=1))
    costs = [torch.cat(parts) for parts in rows.values()]
    means = [cost.sum() / max(len(cost), 1) for cost in costs]
    return torch.stack(means).sum() if means else torch.zeros(())


class PonderSchedule(NamedTuple):
    """Held scores first, then a linear ramp of the weight; training steps count from 0."""

    length: int  # training steps that both shares refer to
    warmup: float  # share of it with held scores
    ramp: float  # share of it over which the weight then grows

    @classmethod
    def for_runner(cls, runner: Runner, warmup: float, ramp: float) -> PonderSchedule:
        """The schedule of a new run, or that of a resumed one as it began.

        A resumed run that is to go on for longer would otherwise hold trained units again.
        """
        hub, length = runner.message_hub, runner.max_iters
        if runner.iter:
            length = hub.runtime_info.get(LENGTH, length)
        if length != runner.max_iters:
            runner.logger.info(
                f'halting warm-up and ramp stay those of a training of {length} steps, as which this '
                f'one began; it now has {runner.max_iters}'
            )
        hub.update_info(LENGTH, length)
        return cls(length, warmup, ramp)

    def held(self, step: int) -> bool:
        """Whether the halting units are held in this training step."""
        return step / self.length < self.warmup

    def weight_share(self, step: int) -> float:
        """Share of the full ponder weight in this training step."""
        if self.held(step):
            return 0.0
        return 1.0 if self.ramp == 0.0 else min(1.0, (step / self.length - self.warmup) / self.ramp)


def prepare(runner: Runner, kind: type[Hook]) -> list[Any]:
    """What a training by PonderCostHook or AnytimeHook, the ``kind``, begins with.

    Returns the list for the handles of what it attaches to the model.

    Raises:
        ValueError: the run has a second hook of this kind, activations are checkpointed by the
            Runner, whose second pass would lose the cost's gradient, or run other depths, or a network
            that is trained has a budget by share: no evaluation of this run could meet it.
    """
    strategy = getattr(runner, 'strategy', None)  # FlexibleRunner's; FSDP's wraps modules by itself
    recomputes = getattr(strategy, 'activation_checkpointing', None)
    if runner.cfg.get('activation_checkpointing') or recomputes:
        needs = 'needs activation_checkpointing=None; set with_cp=True instead'
        raise ValueError(f'{kind.__name__} {needs}')
    refuse_second(runner, kind)
    model = unwrapped(runner.model)
    handles = handles_on(model, 'depths')
    for module, name in iterative_modules(model).items():
        module.hold_halting(False)  # as a run that was broken off may have left it
        if is_trainable(module) and module.budget.share is not None:
            needs = f'needs {name}.budget without share, got share={module.budget.share:g}'
            raise ValueError(f'{kind.__name__} {needs}: training ends the fit that it belongs to')
    # Averaged copies end a fit where the model does, in its first training step: keys must agree.
    for copy in (hook.ema_model for hook in runner.hooks if hasattr(hook, 'ema_model')):
        for module in iterative_modules(copy):
            module.set_budget_table(None)
    return handles
