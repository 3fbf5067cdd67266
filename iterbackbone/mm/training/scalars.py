"""Training scalars: how many iterations images take, and whether they still differ."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch
from mmengine.runner import Runner
from torch import nn

from ...core.adaptive import AdaptiveModule
from ..traces import Call, iterative_modules, trained_calls


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
        self._flat: dict[str, float] = {}  # those whose images could and did not, and their mean

    def observe(self, calls: list[Call]) -> None:
        """Take in all calls of one training step, without their graphs."""
        self._steps.append(calls)

    def publish(self, runner: Runner) -> None:
        """Send the running means to the message hub, which every logger reads."""
        hub = runner.message_hub
        costs = []
        for module, prefix, names, calls in self._modules():
            trained = bool(trained_calls(calls))
            if trained:
                costs.append(torch.cat([call.trace.ponder_cost for call in calls]).sum(dim=1).mean())
            all_iterations = torch.cat([call.trace.iterations for call in calls]).float()
            stages = module.iterative_stages()
            parts = all_iterations.split([len(stage.blocks) for stage in stages], dim=1)
            for stage, name, part in zip(stages, names, parts, strict=True):
                iterations = part.mean(dim=1)  # of a block
                spread = iterations.std(correction=0).item()
                single = (iterations == 1).float().mean()
                hub.update_scalar(f'train/{prefix}iterations_{name}', iterations.mean())
                hub.update_scalar(f'train/{prefix}iterations_std_{name}', spread)
                hub.update_scalar(f'train/{prefix}one_iteration_{name}', single)
                limits = [block.max_iterations for block in stage.iterative_blocks()]
                if trained and len(iterations) > 1 and max(limits, default=1) > 1:
                    self._watch(runner, prefix + name, spread, iterations.mean().item())
        if costs:  # added up, as in the loss: a RoI head has many more rows than images
            hub.update_scalar('train/ponder_cost', torch.stack(costs).sum())

    def warn_at_end(self, runner: Runner) -> None:
        """Name the stages whose images did not differ in the last steps."""
        self._flat.clear()
        self._differed.clear()  # said once
        self.publish(runner)
        if self._flat and not self.held:
            flat = ', '.join(f'{stage} ({mean:g})' for stage, mean in self._flat.items())
            message = 'at the end of training all images take the same iterations in'
            runner.logger.warning(f'{message}: {flat}')

    def _modules(self) -> Iterator[tuple[AdaptiveModule, str, list[str], list[Call]]]:
        """Those with rows, prefix of their scalars, names of their stages, calls that count."""
        calls = [call for step in self._steps for call in step]
        trained, taken = trained_calls(calls), set()
        for module, path in self._paths.items():
            with_gradient = [call for call in trained if call.module is module]
            own = with_gradient or [call for call in calls if call.module is module]
            kind = 'roi_stage' if module.of_regions else 'stage'
            places = range(module.first_stage, module.first_stage + len(module.iterative_stages()))
            names = [f'{kind}{place}' for place in places]
            prefix = f'{path}.' if path else ''
            if not with_gradient:
                prefix = f'frozen.{prefix}'
            elif not taken & set(names):
                prefix = ''
                taken.update(names)
            if any(len(call.trace.iterations) for call in own):
                yield module, prefix, names, own

    def _watch(self, runner: Runner, stage: str, spread: float, mean: float) -> None:
        if spread > 0:
            self._flat.pop(stage, None)
            self._differed.add(stage)
            return
        self._flat[stage] = mean
        if stage in self._differed and len(self._steps) == self.interval and not self.held:
            self._differed.discard(stage)
            message = f'no longer differs between images: all take {mean:g} iterations a block'
            runner.logger.warning(f'{stage} {message}')
