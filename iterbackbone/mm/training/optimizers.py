"""What decays, and how fast what learns: halting biases, and the layers of the backbone."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from ...core.validation import check_real
from ...registry import OPTIM_WRAPPER_CONSTRUCTORS
from ..modules import IterativeResNet
from ..traces import iterative_modules

DECAYS = ('weight_decay', 'lambd')  # the latter is ASGD's, beside the former


def exempt_halting_biases(
    optim_wrapper: OptimWrapper | OptimWrapperDict, model: nn.Module
) -> list[RemovableHandle]:
    """Until the handles are removed no step decays the halting biases, towards early halting."""
    units = [unit for module in iterative_modules(model) for unit in module.halting_units()]
    biases = {unit.fc2.bias for unit in units}
    many = isinstance(optim_wrapper, OptimWrapperDict)
    optimizers = [w.optimizer for w in (optim_wrapper.values() if many else [optim_wrapper])]
    # ZeroRedundancyOptimizer steps an optimizer of its own; DeepSpeed's are none of PyTorch's.
    inner = [getattr(optimizer, 'optim', optimizer) for optimizer in optimizers]
    return [handle for each in inner if isinstance(each, Optimizer) for handle in _exempt(each, biases)]


def _exempt(optimizer: Optimizer, exempt: set[Tensor]) -> list[RemovableHandle]:
    """For the length of a step only, so that schedulers and checkpoints see the config's groups."""
    whole: list[tuple[dict, list[Tensor]]] = []  # groups that are split, with all they hold

    def split(*_: Any) -> None:
        join()  # a step that raised left its groups split
        for group in list(optimizer.param_groups):
            own = [p for p in group['params'] if p in exempt]
            decays = {name: 0.0 for name in DECAYS if group.get(name)}
            if own and decays:
                whole.append((group, group['params']))
                group['params'] = [p for p in group['params'] if p not in exempt]
                optimizer.param_groups.append({**group, 'params': own, **decays})

    def join(*_: Any) -> None:
        del optimizer.param_groups[len(optimizer.param_groups) - len(whole) :]
        for group, parameters in whole:
            group['params'] = parameters
        whole.clear()

    return [optimizer.register_step_pre_hook(split), optimizer.register_step_post_hook(join)]


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LearningRateDecayOptimizerConstructor(DefaultOptimWrapperConstructor):
    """mmdet's and mmseg's constructor of this name, which know a ConvNeXt's layers only.

    The learning rate is ``decay_rate ** n`` of the optimizer's, n counting the layers behind a
    parameter. Biases and other one-dimensional parameters are not decayed. ``paramwise_cfg`` is that
    of the base; its ``num_layers`` and ``decay_type`` describe a ConvNeXt and are not used.
    """

    def add_params(self, params: list[dict], module: nn.Module, **_: Any) -> None:
        """Add a group for each layer's decayed and undecayed parameters to ``params``."""
        rate = check_real('paramwise_cfg.decay_rate', self.paramwise_cfg.get('decay_rate'))
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
