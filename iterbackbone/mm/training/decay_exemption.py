"""Keeps the halting biases out of weight decay, with any optimizer and any ``paramwise_cfg``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer

from ..traces import iterative_modules

DECAYS = ('weight_decay', 'lambd')  # the latter is ASGD's, beside the former


class DecayExemption:
    """Until :meth:`remove` an optimizer's steps leave some parameters undecayed.

    For the length of a step they are in groups of their own whose :data:`DECAYS` are 0. Between steps
    the groups are those of the config: schedulers and checkpoints do not notice.

    Args:
        optimizer: Of the training.
        parameters: To be left out.
    """

    def __init__(self, optimizer: Optimizer, parameters: Iterable[Tensor]) -> None:
        self._exempt = {id(parameter) for parameter in parameters}
        self._whole: list[tuple[dict, list[Tensor]]] = []  # groups that are split, with all they hold
        self._handles = [
            optimizer.register_step_pre_hook(self._split),
            optimizer.register_step_post_hook(self._join),
        ]

    def remove(self) -> None:
        """Let the optimizer decay everything again."""
        for handle in self._handles:
            handle.remove()

    def _split(self, optimizer: Optimizer, *_: Any) -> None:
        self._join(optimizer)  # a step that raised left its groups split
        for group in list(optimizer.param_groups):
            exempt = [p for p in group['params'] if id(p) in self._exempt]
            decays = {name: 0.0 for name in DECAYS if group.get(name)}
            if exempt and decays:
                self._whole.append((group, group['params']))
                group['params'] = [p for p in group['params'] if id(p) not in self._exempt]
                optimizer.param_groups.append({**group, 'params': exempt, **decays})

    def _join(self, optimizer: Optimizer, *_: Any) -> None:
        del optimizer.param_groups[len(optimizer.param_groups) - len(self._whole) :]
        for group, parameters in self._whole:
            group['params'] = parameters
        self._whole = []


def exempt_halting_biases(
    optim_wrapper: OptimWrapper | OptimWrapperDict, model: nn.Module
) -> list[DecayExemption]:
    """Decay would pull the halting biases towards zero, and so towards early halting."""
    units = [unit for module in iterative_modules(model) for unit in module.halting_units()]
    biases = [unit.fc2.bias for unit in units]
    many = isinstance(optim_wrapper, OptimWrapperDict)
    optimizers = [w.optimizer for w in (optim_wrapper.values() if many else [optim_wrapper])]
    # ZeroRedundancyOptimizer steps an optimizer of its own; DeepSpeed's are none of PyTorch's.
    inner = [getattr(optimizer, 'optim', optimizer) for optimizer in optimizers]
    return [DecayExemption(each, biases) for each in inner if isinstance(each, Optimizer)]
