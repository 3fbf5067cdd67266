"""Adds the ponder cost to the task loss, and steers halting to a share of the MACs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ...core.halting import let_halt
from ...core.trace import trace_in_evaluation
from ...core.validation import check_real, check_share
from ...registry import HOOKS
from ..traces import Call, is_trainable, iterative_modules, trained_calls
from .budget_controller import BudgetController, learning_rate_share
from .optimizers import exempt_halting_biases
from .preparation import detach, prepare
from .scalars import TrainScalars

CONTROLLER = 'budget_controller'  # its state in the message hub, which checkpoints carry
LENGTH = 'ponder_schedule_length'  # likewise
EVERY = 20  # training steps; a rehearsal costs about a third of a step


@HOOKS.register_module()
class PonderCostHook(Hook):
    """``loss_ponder`` = weight x sum over iterative modules of the mean ponder cost of a row.

    A PyTorch forward hook adds it to the model's loss dict, so that DDP, AMP and gradient
    accumulation see it and any detector, segmentor or classifier works unchanged. Teachers and
    momentum copies, which have no gradients, are left out, of the logged cost and of the steering,
    too. The halting biases are left out of weight decay, whatever the optimizer.

    Halting starts in the untrained network at full depth. During the halting warm-up the scores are
    held there and the cost counts nothing; then the units are released and the weight ramps up
    linearly. Both are shares of the whole training. Checkpoints hold its length, so a resumed run
    goes on right, also where it is to end later.

    Logs running means over the logging interval: iterations, their spread and the share of
    one-iteration images per stage, the ponder cost and, with a ``target``, ``train/macs_share``, as
    evaluation would execute it. From the end of the warm-up on the halting biases are steered to the
    target (:class:`~iterbackbone.mm.training.budget_controller.BudgetController`).

    Args:
        weight: Of the ponder cost N + R; 0.005 as in Figurnov et al. 2017 on ImageNet. With a
            ``target`` it only decides which blocks and images the iterations go to.
        halting_warmup: Share of training with held scores; 0 to fine-tune a trained network.
        ramp: Share of training over which the weight then grows from 0.
        target: Mean executed MACs of the iterative modules over those of all iterations, such
            as 0.45; above the share of one iteration everywhere and below 1.
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
        # Of this training step:
        self._weight = 0.0
        self._rehearses = False
        self._calls: list[Call] = []  # without their graphs
        self._rehearsed: list[Call] = []  # as evaluation would have run them
        self._with_graphs: list[Call] = []  # of this forward pass

    def before_train(self, runner: Runner) -> None:
        """Attach to the model; ValueError as :func:`~.preparation.prepare`."""
        model, handles = prepare(runner, PonderCostHook)
        self._modules = list(iterative_modules(model))
        self._schedule = PonderSchedule.for_runner(runner, self.halting_warmup, self.ramp)
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self._scalars = TrainScalars(model, min(intervals, default=50))
        saved = runner.message_hub.runtime_info.get(CONTROLLER, {}) if runner.iter else {}
        self._controller = None if self.target is None else BudgetController(self.target, **saved)
        for module in self._trained_modules() if runner.iter == 0 else ():
            for unit in module.halting_units():
                let_halt(unit)  # of a network trained at all depths
        handles += exempt_halting_biases(runner.optim_wrapper, model)
        handles.append(model.register_forward_pre_hook(self._begin_forward))
        for module in self._modules:
            handles.append(module.register_forward_hook(self._collect, with_kwargs=True))
        handles.append(model.register_forward_hook(self._add_loss, with_kwargs=True))

    def before_train_iter(self, runner: Runner, **_: Any) -> None:
        """Hold or release the halting units and set the weight."""
        self._weight = self._schedule.weight_share(runner.iter) * self.weight
        self._rehearses = self._controller is not None and (runner.iter + 1) % EVERY == 0
        self._scalars.held = self._schedule.held(runner.iter)
        trained = self._trained_modules()
        for module in self._modules:  # what teachers tell the student is their own
            module.hold_halting(self._scalars.held and module in trained)
        self._calls, self._rehearsed = [], []

    def after_train_iter(self, runner: Runner, batch_idx: int, **_: Any) -> None:
        """Steer, and log the running means where the logger speaks: on a GPU reading them waits."""
        runner.message_hub.update_scalar('train/ponder_weight', self._weight)
        self._scalars.observe(self._calls)
        if self._controller is not None:
            self._steer(runner, self._controller)
        due = self.every_n_inner_iters(batch_idx, self._scalars.interval)
        if due or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self._scalars.publish(runner)

    def after_train(self, runner: Runner) -> None:
        """Detach from the model and say which stages do not adapt."""
        self._scalars.warn_at_end(runner)
        detach(runner)

    def _begin_forward(self, *_: Any) -> None:
        self._with_graphs = []

    def _collect(self, module: AdaptiveModule, args: tuple, kwargs: dict, _: Any) -> None:
        call = Call(module, module.trace, None, torch.is_grad_enabled())
        self._with_graphs.append(call)
        if self._rehearses and trained_calls([call]):
            # BatchNorm's running statistics let the same images halt a little earlier or later.
            again = module.training  # else the call itself was as in evaluation
            trace = trace_in_evaluation(module, *args, **kwargs) if again else call.trace
            self._rehearsed.append(call._replace(trace=trace))

    def _add_loss(self, _: nn.Module, __: tuple, kwargs: dict, output: Any) -> Any:
        if kwargs.get('mode') != 'loss' or not isinstance(output, dict):
            return None
        cost = ponder_cost(self._with_graphs)
        for call in self._with_graphs:
            call.module.drop_trace()
            trace = replace(call.trace, ponder_cost=call.trace.ponder_cost.detach())
            self._calls.append(call._replace(trace=trace))
        self._with_graphs = []
        return {**output, 'loss_ponder': self._weight * cost}

    def _steer(self, runner: Runner, controller: BudgetController) -> None:
        hub = runner.message_hub
        controller.observe(self._calls, self._rehearsed)
        if not self._scalars.held:
            controller.steer(self._trained_modules(), learning_rate_share(runner.optim_wrapper))
        hub.update_info(CONTROLLER, controller.state_dict())
        if (share := controller.expected()) is not None:
            hub.update_scalar('train/macs_share', share)

    def _trained_modules(self) -> list[AdaptiveModule]:
        """Without those that the last step called for labels only; ranks agree on one not called."""
        with_gradient = {call.module for call in trained_calls(self._calls)}
        teachers = {call.module for call in self._calls} - with_gradient
        return [m for m in self._modules if is_trainable(m) and m not in teachers]


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
        """Of a run as it began: resumed for longer it would else hold trained units again."""
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
