"""Layer-wise learning rates for detectors and segmentors with an iterative backbone."""

from __future__ import annotations

from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from ...core.validation import check_real
from ...registry import OPTIM_WRAPPER_CONSTRUCTORS
from ..modules import IterativeResNet


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
