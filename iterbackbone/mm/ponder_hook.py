"""Adds the ponder cost to the task loss and schedules it over training."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor, nn

from ..core.adaptive import AdaptiveModule
from ..core.validation import check_real, check_share
from ..registry import HOOKS
from .budget_controller import BudgetController
from .rehearsal import Rehearsal
from .trace_collector import Call, TraceCollector
from .train_scalars import TrainScalars
from .unwrapping import unwrapped

CONTROLLER = 'budget_controller'  # its state in the message hub, which checkpoints carry


@HOOKS.register_module()
class PonderCostHook(Hook):
    """``loss_ponder`` = weight x sum over iterative modules of the mean ponder cost of a row.

    A PyTorch forward hook on the model adds it to the loss dict inside forward, so that
    DDP, AMP and gradient accumulation see it and any detector, segmentor or classifier
    works unchanged. Modules without trainable parameters are left out.

    Halting starts in the untrained network at full depth. During the halting warm-up the
    scores are held there and the cost counts nothing; then the units are released and the
    weight ramps up linearly. Both are shares of the whole training, derived from the
    progress, so a resumed run goes on right.

    Also logs, as running means over the logging interval: iterations, their spread and the
    share of one-iteration images per stage, and the ponder cost.

    Whoever thinks in compute instead of weights sets ``target``: from the end of the warm-up
    on the halting biases are steered to it (see
    :class:`~iterbackbone.mm.budget_controller.BudgetController`), and the measured share is
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
        self._ramped = 0.0  # share of the full weights, by the progress
        self._controller: BudgetController | None = None
        self._rehearsal: Rehearsal | None = None
        self._collector: TraceCollector | None = None
        self._handles: list[Any] = []
        self._scalars: TrainScalars | None = None

    def before_train(self, runner: Runner) -> None:
        """Attach to the model.

        Raises:
            ValueError: the run has a second hook of this type.
        """
        if sum(isinstance(hook, PonderCostHook) for hook in runner.hooks) > 1:
            raise ValueError(
                'the run has two PonderCostHooks, so the ponder cost would count twice: give one, in '
                'default_hooks or in custom_hooks'
            )
        model = unwrapped(runner.model)
        self._collector = TraceCollector(model)
        self._scalars = TrainScalars.for_runner(runner, model)
        if self.target is not None:
            self._controller = BudgetController(self.target)
            self._rehearsal = Rehearsal(self._collector.modules)
            if (saved := runner.message_hub.runtime_info.get(CONTROLLER)) is not None:
                self._controller.load_state_dict(saved)
        self._handles = [
            model.register_forward_pre_hook(self._before_forward),
            model.register_forward_hook(self._add_loss, with_kwargs=True),
        ]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Hold or release the halting units and set the weight from the progress."""
        progress = runner.iter / runner.max_iters
        held = progress < self.halting_warmup
        assert self._collector is not None
        assert self._scalars is not None
        for module in self._collector.modules:
            module.hold_halting(held)
        self._ramped = ramp_factor(progress, self.halting_warmup, self.ramp)
        self._scalars.held = held

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Log the running means where the logger speaks: on a GPU reading them waits for it."""
        assert self._scalars is not None
        hub = runner.message_hub
        hub.update_scalar('train/ponder_weight', self._ramped * self.weight)
        if self._controller is not None:
            if not self._scalars.held:
                assert self._collector is not None
                lr_share = learning_rate_share(runner.optim_wrapper)
                self._controller.steer(self._collector.modules, lr_share)
            hub.update_info(CONTROLLER, self._controller.state_dict())
            hub.update_scalar('train/macs_share', self._controller.expected())
        if self._scalars.due(batch_idx) or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self._scalars.publish(runner)

    def after_train(self, runner: Runner) -> None:
        """Detach from the model and say which stages do not adapt."""
        assert self._collector is not None
        assert self._scalars is not None
        self._scalars.warn_at_end()
        self._collector.detach()
        if self._rehearsal is not None:
            self._rehearsal.detach()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _before_forward(self, model: nn.Module, _: tuple) -> None:
        assert self._collector is not None
        self._collector.reset()
        if self._rehearsal is not None and model.training:  # ranks may validate unequally often
            self._rehearsal.next_step()

    def _add_loss(self, _: nn.Module, __: tuple, kwargs: dict, output: Any) -> Any:
        if kwargs.get('mode') != 'loss' or not isinstance(output, dict):
            return None
        assert self._collector is not None
        assert self._scalars is not None
        calls = self._collector.calls
        self._scalars.observe(calls)
        if self._controller is not None:
            assert self._rehearsal is not None
            self._controller.observe(calls, self._rehearsal.calls)
        output = {**output, 'loss_ponder': self._ramped * self.weight * ponder_cost(calls)}
        for call in calls:
            call.module.drop_trace()
        self._collector.reset()
        return output


def learning_rate_share(optim_wrapper: OptimWrapper | OptimWrapperDict) -> float:
    """The first parameters' learning rate over the one its schedulers started from."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        optim_wrapper = next(iter(optim_wrapper.values()))
    group = optim_wrapper.param_groups[0]
    return group['lr'] / group['initial_lr'] if group.get('initial_lr') else 1.0


def ramp_factor(progress: float, warmup: float, ramp: float) -> float:
    """Share of the full weight at ``progress`` (0 to 1) of the training."""
    if progress < warmup:
        return 0.0
    return 1.0 if ramp == 0.0 else min(1.0, (progress - warmup) / ramp)


def ponder_cost(calls: list[Call]) -> Tensor:
    """Sum over trainable modules of the mean over their rows of the sum over blocks of N + R.

    Args:
        calls: Of one forward pass of the model. The rows of a module's calls are one batch.

    Returns:
        Float32 scalar; zero and connected to the graph where a module had no rows.
    """
    rows: dict[AdaptiveModule, list[Tensor]] = {}
    for call in calls:
        if any(p.requires_grad for p in call.module.parameters()):
            rows.setdefault(call.module, []).append(call.trace.ponder_cost.sum(dim=1))
    costs = [torch.cat(parts) for parts in rows.values()]
    means = [cost.sum() / max(len(cost), 1) for cost in costs]
    return torch.stack(means).sum() if means else torch.zeros(())
