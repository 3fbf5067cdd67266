"""What decays, and how fast what learns: halting biases, and the layers of the backbone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer

from ...core.validation import check_real
from ...registry import OPTIM_WRAPPER_CONSTRUCTORS
from ..modules import IterativeResNet
from ..traces import iterative_modules, remove_all

DECAYS = ('weight_decay', 'lambd')  # the latter is ASGD's, beside the former


class DecayExemption:
    """Until :meth:`remove` an optimizer's steps leave some parameters undecayed.

    For the length of a step they are in groups of their own whose :data:`DECAYS` are 0. Between steps
    the groups are those of the config: schedulers and checkpoints do not notice.
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
        remove_all(self._handles)

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
    """With any optimizer: decay would pull the biases towards zero, and so towards early halting."""
    units = [unit for module in iterative_modules(model) for unit in module.halting_units()]
    biases = [unit.fc2.bias for unit in units]
    many = isinstance(optim_wrapper, OptimWrapperDict)
    optimizers = [w.optimizer for w in (optim_wrapper.values() if many else [optim_wrapper])]
    # ZeroRedundancyOptimizer steps an optimizer of its own; DeepSpeed's are none of PyTorch's.
    inner = [getattr(optimizer, 'optim', optimizer) for optimizer in optimizers]
    return [DecayExemption(each, biases) for each in inner if isinstance(each, Optimizer)]


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LearningRateDecayOptimizerConstructor(DefaultOptimWrapperConstructor):
    """mmdet's and mmseg's constructor of this name, which know a ConvNeXt's layers only.

    The learning rate is ``decay_rate ** n`` of the optimizer's, n counting the layers behind a
    parameter (:meth:`~iterbackbone.mm.modules.IterativeResNet.get_layer_depth`). Biases and other
    one-dimensional parameters are not decayed. ``paramwise_cfg`` is that of the base; its
    ``num_layers`` and ``decay_type`` describe a ConvNeXt and are not used.

    Raises:
        ValueError: ``paramwise_cfg`` has no ``decay_rate``, or the model no iterative backbone.
    """

    def add_params(self, params: list[dict], module: nn.Module, **_: Any) -> None:
        """Add a group for each layer's decayed and undecayed parameters to ``params``."""
        if 'decay_rate' not in self.paramwise_cfg:
            raise ValueError(f'paramwise_cfg must have a decay_rate, got {self.paramwise_cfg}')
        rate = check_real('paramwise_cfg.decay_rate', self.paramwise_cfg['decay_rate'])
        backbones = {f'{n}.': m for n, m in module.named_modules() if isinstance(m, IterativeResNet)}
        if not backbones:
            raise ValueError(f'{type(module).__name__} has no iterbackbone.IterativeResNet')
        groups: dict[tuple[int, bool], dict[str, Any]] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            prefix = next((p for p in backbones if name.startswith(p)), next(iter(backbones)))
            layer, layers = backbones[prefix].get_layer_depth(name, prefix)
            decayed = parameter.ndim > 1 and not name.endswith('.bias')
            scale = rate ** (layers - layer - 1)
            group = dict(params=[], lr=self.base_lr * scale, lr_scale=scale)
            if not decayed:
                group['weight_decay'] = 0.0
            groups.setdefault((layer, decayed), group)['params'].append(parameter)
        params.extend(groups.values())
