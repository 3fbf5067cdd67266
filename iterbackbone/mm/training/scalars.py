"""Training scalars: how many iterations images take, and whether they still differ."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ..traces import Call, iterative_modules, trained_calls


class _Rows(NamedTuple):
    """Images or RoIs of one module over the last training steps."""

    module: AdaptiveModule
    prefix: str  # of its scalars
    trained: bool  # whether any of its calls had gradients; then the others do not count
    stages: dict[str, Tensor]  # iterations, the mean over a stage's blocks, (rows,)
    cost: Tensor  # ponder costs, (rows,)


class TrainScalars:
    """Running means over the last ``interval`` training steps, by module and stage.

    The first trained backbone and the first trained RoI layer keep plain names such as
    ``train/iterations_stage0``. Other modules have their path in the model as a prefix, as
    in ``train/backbone2.iterations_stage0``; those without gradients (teachers, momentum copies)
    begin with ``frozen.``, and nobody warns of their collapse.

    Attributes:
        held: Whether the halting units are held; then stages are not expected to differ.
    """

    def __init__(self, model: nn.Module, interval: int) -> None:
        self.held = False
        self.interval = interval
        self._paths = iterative_modules(model)
        self._steps: deque[list[Call]] = deque(maxlen=interval)
        self._differed: set[str] = set()  # stages whose images did

    def observe(self, calls: list[Call]) -> None:
        """Take in all calls of one training step, without their graphs."""
        self._steps.append(calls)

    def publish(self, runner: Runner) -> None:
        """Send the running means to the message hub, which every logger reads."""
        hub = runner.message_hub
        costs = []
        for rows in self._rows():
            if rows.trained:
                costs.append(rows.cost.mean())
            for stage, iterations in rows.stages.items():
                spread = iterations.std(correction=0).item()
                prefix = f'train/{rows.prefix}'
                hub.update_scalar(f'{prefix}iterations_{stage}', iterations.mean())
                hub.update_scalar(f'{prefix}iterations_std_{stage}', spread)
                hub.update_scalar(f'{prefix}one_iteration_{stage}', (iterations == 1).float().mean())
                if rows.trained and len(self._steps) == self.interval:
                    self._watch(rows.prefix + stage, spread, iterations.mean().item())
        if costs:  # added up, as in the loss: a RoI head has many more rows than images
            hub.update_scalar('train/ponder_cost', torch.stack(costs).sum())

    def warn_at_end(self) -> None:
        """Name the stages whose images did not differ when training ended."""
        flat = []
        for rows in self._rows():
            if rows.trained and len(rows.cost) > 1:
                stages = zip(rows.stages.items(), rows.module.iterative_stages(), strict=True)
                flat += [
                    f'{rows.prefix}{name} ({iterations.mean():g})'
                    for (name, iterations), stage in stages
                    if iterations.std() == 0
                    and any(block.max_iterations > 1 for block in stage.iterative_blocks())
                ]
        if flat and not self.held:
            _warn(f'at the end of training all images take the same iterations in: {", ".join(flat)}')

    def _rows(self) -> Iterator[_Rows]:
        """Of the modules that had any."""
        calls = [call for step in self._steps for call in step]
        trained, taken = trained_calls(calls), set()
        for module, path in self._paths.items():
            with_gradient = [call for call in trained if call.module is module]
            own = with_gradient or [call for call in calls if call.module is module]
            stages = module.iterative_stages()
            kind = 'roi_stage' if module.of_regions else 'stage'
            names = [f'{kind}{module.first_stage + k}' for k in range(len(stages))]
            prefix = f'{path}.' if path else ''
            if not with_gradient:
                prefix = f'frozen.{prefix}'
            elif not taken & set(names):
                prefix = ''
                taken.update(names)
            if any(len(call.trace.iterations) for call in own):
                iterations = torch.cat([call.trace.iterations for call in own]).float()
                parts = iterations.split([len(stage.blocks) for stage in stages], dim=1)
                means = {name: part.mean(dim=1) for name, part in zip(names, parts, strict=True)}
                cost = torch.cat([call.trace.ponder_cost for call in own]).sum(dim=1)
                yield _Rows(module, prefix, bool(with_gradient), means, cost)

    def _watch(self, stage: str, spread: float, mean: float) -> None:
        if spread > 0:
            self._differed.add(stage)
        elif stage in self._differed and not self.held:
            self._differed.discard(stage)
            _warn(f'{stage} no longer differs between images: all take {mean:g} iterations a block')


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
