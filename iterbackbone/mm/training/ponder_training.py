"""What PonderCostHook watches and steers from a training's first step to its last."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch
from mmengine.hooks import LoggerHook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from ...core.adaptive import AdaptiveModule
from ...core.halting import let_halt
from ...core.trace import trace_in_evaluation
from ..traces import Call, TraceCollector, is_trainable, remove_all, trained_calls, unwrapped
from .budget_controller import BudgetController
from .scalars import TrainScalars

CONTROLLER = 'budget_controller'  # its state in the message hub, which checkpoints carry
EVERY = 20  # training steps; a rehearsal costs about a third of a step


class PonderTraining:
    """Listens to the model's iterative modules until :meth:`remove`.

    The ``target`` is that of :class:`~iterbackbone.mm.training.ponder_hook.PonderCostHook`. With one,
    a training step is rehearsed once in a while: the same images run as in evaluation, where
    BatchNorm's running statistics let them halt a little earlier or later.
    """

    def __init__(self, runner: Runner, target: float | None) -> None:
        model = unwrapped(runner.model)
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self.scalars = TrainScalars(model, min(intervals, default=50))
        self._calls: list[Call] = []  # of this training step, without their graphs
        self._rehearsed: list[Call] = []  # of its modules, as evaluation would have run them
        self._rehearses = False  # in this step, which checkpoints hold
        saved = runner.message_hub.runtime_info.get(CONTROLLER, {}) if runner.iter else {}
        self._controller = None if target is None else BudgetController(target, **saved)
        self._collector = TraceCollector(model)  # behind what may raise: nobody would detach it
        self._modules = self._collector.modules
        self._handles: list[Any] = [
            module.register_forward_hook(self._rehearse, with_kwargs=True) for module in self._modules
        ]
        trainable = [module for module in self._modules if is_trainable(module)]
        for module in trainable if runner.iter == 0 else ():
            for unit in module.halting_units():
                let_halt(unit)  # of a network trained at all depths
        if not trainable:
            message = 'no iterative module takes gradients: none has a ponder cost or is steered'
            print_log(message, logger='current', level=logging.WARNING)

    def begin_step(self, step: int, held: bool) -> None:
        """Prepare training step ``step``, from 0, with halting units that are ``held`` or not.

        Those of teachers are not: what they tell the student is their own.
        """
        trained = self._trained_modules()
        for module in self._modules:
            module.hold_halting(held and module in trained)
        self.scalars.held = held
        self._rehearses = self._controller is not None and (step + 1) % EVERY == 0
        self._calls, self._rehearsed = [], []

    def begin_forward(self, *_: Any) -> None:
        """Forget calls that belong to no loss."""
        self._collector.reset()

    def take_calls(self) -> list[Call]:
        """The calls of the forward pass that ends here, with their graphs."""
        calls = self._collector.calls.copy()
        self._collector.reset()
        for call in calls:
            trace = replace(call.trace, ponder_cost=call.trace.ponder_cost.detach())
            self._calls.append(call._replace(trace=trace))
        return calls

    def end_step(self, runner: Runner) -> None:
        """Take in the step's calls and steer the halting units to the target."""
        self.scalars.observe(self._calls)
        if self._controller is None:
            return
        self._controller.observe(self._calls, self._rehearsed)
        if not self.scalars.held:
            lr_share = learning_rate_share(runner.optim_wrapper)
            self._controller.steer(self._trained_modules(), lr_share)
        hub = runner.message_hub
        hub.update_info(CONTROLLER, self._controller.state_dict())
        if (share := self._controller.expected()) is not None:
            hub.update_scalar('train/macs_share', share)

    def remove(self) -> None:
        """Stop listening, and release the halting units."""
        self._collector.detach()
        remove_all(self._handles)
        for module in self._modules:
            module.hold_halting(False)

    def _trained_modules(self) -> list[AdaptiveModule]:
        """Those that take gradients, without those that the last step called for labels only.

        One that was not called counts, so that ranks agree.
        """
        with_gradient = {call.module for call in trained_calls(self._calls)}
        teachers = {call.module for call in self._calls} - with_gradient
        return [m for m in self._modules if is_trainable(m) and m not in teachers]

    def _rehearse(self, module: AdaptiveModule, args: tuple, kwargs: dict, _: Any) -> None:
        if self._rehearses and torch.is_grad_enabled() and is_trainable(module):
            again = module.training  # else the call itself was as in evaluation
            trace = trace_in_evaluation(module, *args, **kwargs) if again else module.trace
            self._rehearsed.append(Call(module, trace, None))


def learning_rate_share(optim_wrapper: OptimWrapper | OptimWrapperDict) -> float:
    """The first parameters' learning rate over the one its schedulers started from."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        optim_wrapper = next(iter(optim_wrapper.values()))
    group = optim_wrapper.param_groups[0]
    return group['lr'] / group['initial_lr'] if group.get('initial_lr') else 1.0
