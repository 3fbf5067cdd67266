"""Training scalars: how many iterations images take, and whether they still differ."""

from __future__ import annotations

import logging
from collections import deque

import torch
from mmengine.logging import MessageHub, print_log
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ..traces import Call, iterative_modules, trained_calls


class TrainScalars:
    """Running means over the last ``interval`` training steps, by module and stage.

    The first trained backbone and the first trained RoI layer keep plain names such as
    ``train/iterations_stage0``. Other modules have their path in the model as a prefix, as
    in ``train/backbone2.iterations_stage0``; those without gradients (teachers, momentum copies)
    begin with ``frozen.``, and nobody warns of their collapse.

    Iterations are those of a block: where a stage has several, their mean.

    Attributes:
        held: Whether the halting units are held; then stages are not expected to differ.
        interval: Training steps a mean covers.
    """

    def __init__(self, model: nn.Module, interval: int) -> None:
        self.held = False
        self.interval = interval
        self._windows = [
            _Window(path, module, interval) for module, path in iterative_modules(model).items()
        ]

    def observe(self, calls: list[Call]) -> None:
        """Take in all calls of one training step."""
        trained = trained_calls(calls)
        for window in self._windows:
            if not window.trained and any(call.module is window.module for call in trained):
                window.begin_training([w for w in self._windows if w.trained])
            window.append(trained if window.trained else calls)

    def publish(self, runner: Runner) -> None:
        """Send the running means to the message hub, which every logger reads."""
        hub: MessageHub = runner.message_hub
        costs = []
        for window in self._windows:
            stages, cost = window.rows()
            if window.trained and len(cost):
                costs.append(cost.mean())
            for stage, iterations in stages.items():
                spread = iterations.std(correction=0).item()
                prefix = f'train/{window.prefix}'
                hub.update_scalar(f'{prefix}iterations_{stage}', iterations.mean())
                hub.update_scalar(f'{prefix}iterations_std_{stage}', spread)
                hub.update_scalar(f'{prefix}one_iteration_{stage}', (iterations == 1).float().mean())
                if window.full:
                    self._watch(window, stage, spread, iterations.mean().item())
        if costs:  # added up, as in the loss: a RoI head has many more rows than images
            hub.update_scalar('train/ponder_cost', torch.stack(costs).sum())

    def warn_at_end(self) -> None:
        """Name the stages whose images did not differ when training ended."""
        flat = []
        for window in self._windows:
            stages, cost = window.rows()
            if window.trained and len(cost) > 1:
                flat += [
                    f'{window.prefix}{stage} ({iterations.mean():g})'
                    for stage, iterations in stages.items()
                    if stage in window.adaptive and iterations.std() == 0
                ]
        if flat and not self.held:
            _warn(f'at the end of training all images take the same iterations in: {", ".join(flat)}')

    def _watch(self, window: _Window, stage: str, spread: float, mean: float) -> None:
        if spread > 0:
            window.differed.add(stage)
        elif stage in window.differed and window.trained and not self.held:
            window.differed.discard(stage)
            _warn(
                f'{window.prefix}{stage} no longer differs between images: '
                f'all take {mean:g} iterations a block'
            )


class _Window:
    """One module over the last training steps."""

    def __init__(self, path: str, module: AdaptiveModule, steps: int) -> None:
        self.module, self._path = module, f'{path}.' if path else ''
        self.prefix = f'frozen.{self._path}'  # of its scalars
        self.trained = False  # whether any of its calls had gradients so far
        stages = module.iterative_stages()
        kind = 'roi_stage' if module.of_regions else 'stage'
        self.stages = [f'{kind}{module.first_stage + k}' for k in range(len(stages))]
        self.adaptive = {  # stages whose images can differ
            name
            for name, stage in zip(self.stages, stages, strict=True)
            if any(block.max_iterations > 1 for block in stage.iterative_blocks())
        }
        self.differed: set[str] = set()  # those whose images did
        self._blocks = [len(stage.blocks) for stage in stages]
        # Of each step's calls: iterations of the stages, (B, stages), and ponder costs, (B,).
        self._steps: deque[list[tuple[Tensor, Tensor]]] = deque(maxlen=steps)

    @property
    def full(self) -> bool:
        """Whether as many steps were seen as a mean covers."""
        return len(self._steps) == self._steps.maxlen

    def begin_training(self, others: list[_Window]) -> None:
        """Take the plain names unless one of ``others`` has them, and begin anew."""
        taken = {stage for other in others if not other.prefix for stage in other.stages}
        self.prefix, self.trained = self._path if taken & set(self.stages) else '', True
        self._steps.clear()

    def append(self, calls: list[Call]) -> None:
        """Take in one training step: those of ``calls`` that are the module's, even if none is."""
        step = []
        for call in calls:
            if call.module is self.module:
                parts = call.trace.iterations.float().split(self._blocks, dim=1)
                iterations = torch.stack([part.mean(dim=1) for part in parts], dim=1)
                step.append((iterations, call.trace.ponder_cost.detach().sum(dim=1)))
        self._steps.append(step)

    def rows(self) -> tuple[dict[str, Tensor], Tensor]:
        """Images or RoIs of all steps: iterations by stage, none without rows, and ponder costs."""
        calls = [call for step in self._steps for call in step if len(call[1])]
        if not calls:
            return {}, torch.empty(0)
        iterations, cost = (torch.cat(parts) for parts in zip(*calls, strict=True))
        return dict(zip(self.stages, iterations.unbind(dim=1), strict=True)), cost


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
