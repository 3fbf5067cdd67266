"""Training scalars: how many iterations images take, and whether they still differ."""

from __future__ import annotations

import logging
from collections import deque

import torch
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub, print_log
from mmengine.runner import Runner
from torch import Tensor, nn

from ..core.adaptive import AdaptiveModule
from ..core.roi_layer import IterativeResLayer
from .trace_collector import Call


class TrainScalars:
    """Running means over the last ``interval`` training steps, by module and stage.

    Attributes:
        held: Whether the halting units are held; then stages are not expected to differ.

    Iterations are those of a block: where a stage has several, their mean.

    Args:
        model: With the iterative modules.
        interval: Training steps a mean covers.
    """

    def __init__(self, model: nn.Module, interval: int) -> None:
        self.held = False
        self._stages: dict[AdaptiveModule, dict[str, int]] = {}  # blocks by stage
        self._adaptive: set[str] = set()  # stages whose images can differ
        for module in model.modules():
            if isinstance(module, AdaptiveModule):
                for name, stage in zip(_stage_names(module), module.iterative_stages(), strict=True):
                    self._stages.setdefault(module, {})[name] = len(stage.blocks)
                    if any(block.max_iterations > 1 for block in stage.iterative_blocks()):
                        self._adaptive.add(name)
        self._iterations: dict[str, deque[Tensor]] = {}
        self._costs: dict[AdaptiveModule, deque[Tensor]] = {}
        self._interval = interval
        self._differed: set[str] = set()

    @classmethod
    def for_runner(cls, runner: Runner, model: nn.Module) -> TrainScalars:
        """Means over the logger's interval."""
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        return cls(model, min(intervals, default=50))

    def observe(self, calls: list[Call]) -> None:
        """Take in the calls of one training step."""
        for call in calls:
            iterations, cost = call.trace.iterations.detach(), call.trace.ponder_cost.detach()
            costs = self._costs.setdefault(call.module, deque(maxlen=self._interval))
            costs.append(cost.sum(dim=1))
            start = 0
            for name, blocks in self._stages[call.module].items():
                window = self._iterations.setdefault(name, deque(maxlen=self._interval))
                window.append(iterations[:, start : start + blocks].sum(dim=1) / blocks)
                start += blocks

    def due(self, batch_idx: int) -> bool:
        """Whether the logger speaks after this training step."""
        return (batch_idx + 1) % self._interval == 0

    def publish(self, runner: Runner) -> None:
        """Send the running means to the message hub, whence every logger takes them."""
        hub: MessageHub = runner.message_hub
        costs = [torch.cat(list(window)) for window in self._costs.values()]
        means = [rows.mean() for rows in costs if len(rows)]
        if means:  # added up, as in the loss: a RoI head has many more rows than images
            hub.update_scalar('train/ponder_cost', torch.stack(means).sum())
        for name, window in self._iterations.items():
            rows = torch.cat(list(window))
            if not len(rows):
                continue
            spread = rows.std(correction=0).item()
            hub.update_scalar(f'train/iterations_{name}', rows.mean())
            hub.update_scalar(f'train/iterations_std_{name}', spread)
            hub.update_scalar(f'train/one_iteration_{name}', (rows == 1).float().mean())
            if len(window) == self._interval:
                self._watch(name, spread, rows.mean().item())

    def warn_at_end(self) -> None:
        """Name the stages whose images did not differ when training ended."""
        same = {n: torch.cat(list(w)) for n, w in self._iterations.items() if w}
        flat = [
            f'{n} ({r.mean():g})'
            for n, r in same.items()
            if n in self._adaptive and len(r) > 1 and r.std() == 0
        ]
        if flat and not self.held:
            _warn(f'at the end of training all images take the same iterations in: {", ".join(flat)}')

    def _watch(self, name: str, spread: float, mean: float) -> None:
        if spread > 0:
            self._differed.add(name)
        elif name in self._differed and not self.held:
            self._differed.discard(name)
            _warn(f'{name} no longer differs between images: all take {mean:g} iterations a block')


def _stage_names(module: AdaptiveModule) -> list[str]:
    if isinstance(module, IterativeResLayer):
        return [f'roi_stage{module.stage}']
    return [f'stage{k}' for k, _ in enumerate(module.iterative_stages())]


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
