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
from torch.utils.hooks import RemovableHandle

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

    The ``target`` is that of :class:`~iterbackbone.mm.training.ponder_hook.PonderCostHook`.
    """

    def __init__(self, runner: Runner, target: float | None) -> None:
        model = unwrapped(runner.model)
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self.scalars = TrainScalars(model, min(intervals, default=50))
        self._calls: list[Call] = []  # of this training step, without their graphs
        self._rehearsed: list[Call] = []
        self._controller = None if target is None else BudgetController(target)
        saved = runner.message_hub.runtime_info.get(CONTROLLER) if runner.iter else None
        if self._controller is not None and saved is not None:
            self._controller.load_state_dict(saved)
        self._collector = TraceCollector(model)  # behind what may raise: nobody would detach it
        self._modules = self._collector.modules
        self._rehearsal = Rehearsal(self._modules)
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
        self._rehearsal.due = self._controller is not None and (step + 1) % EVERY == 0
        self._calls.clear()
        self._rehearsed.clear()

    def begin_forward(self, *_: Any) -> None:
        """Forget calls that belong to no loss."""
        self._collector.reset()
        self._rehearsal.calls.clear()

    def take_calls(self) -> list[Call]:
        """The calls of the forward pass that ends here, with their graphs."""
        calls = self._collector.calls.copy()
        for call in calls:
            trace = replace(call.trace, ponder_cost=call.trace.ponder_cost.detach())
            self._calls.append(call._replace(trace=trace))
        self._rehearsed += self._rehearsal.calls
        self.begin_forward()
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
        self._rehearsal.detach()
        for module in self._modules:
            module.hold_halting(False)

    def _trained_modules(self) -> list[AdaptiveModule]:
        """Those that take gradients, without those that the last step called for labels only.

        One that was not called counts, so that ranks agree.
        """
        with_gradient = {call.module for call in trained_calls(self._calls)}
        teachers = {call.module for call in self._calls} - with_gradient
        return [m for m in self._modules if is_trainable(m) and m not in teachers]


class Rehearsal:
    """Repeats the forward pass of a training step as evaluation would run it, once in a while.

    Evaluation takes BatchNorm's running statistics, so that the same images halt a little earlier
    or later than in training. Listens to ``modules``, whose trained calls run again where it is due.

    Attributes:
        due: Whether to rehearse now; set it from the training step, which checkpoints hold.
        calls: Of this forward pass, as evaluation would have run them.
    """

    def __init__(self, modules: list[AdaptiveModule]) -> None:
        self.due = False
        self.calls: list[Call] = []
        self._handles: list[RemovableHandle] = [
            module.register_forward_hook(self._rehearse, with_kwargs=True) for module in modules
        ]

    def detach(self) -> None:
        """Stop listening."""
        remove_all(self._handles)
        self.calls.clear()

    def _rehearse(self, module: AdaptiveModule, args: tuple, kwargs: dict, _: Any) -> None:
        if self.due and torch.is_grad_enabled() and is_trainable(module):
            again = module.training  # else the call itself was as in evaluation
            trace = trace_in_evaluation(module, *args, **kwargs) if again else module.trace
            self.calls.append(Call(module, trace, None))


def learning_rate_share(optim_wrapper: OptimWrapper | OptimWrapperDict) -> float:
    """The first parameters' learning rate over the one its schedulers started from."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        optim_wrapper = next(iter(optim_wrapper.values()))
    group = optim_wrapper.param_groups[0]
    return group['lr'] / group['initial_lr'] if group.get('initial_lr') else 1.0
