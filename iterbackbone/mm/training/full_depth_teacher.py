"""The second arm of anytime training: each image twice, at full depth teaching its other copy."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ...core.validation import check_real
from .distillation_hook import stage_loss

OPTIONS = ('stages', 'logits', 'logits_weight', 'temperature')


class FullDepthTeacher:
    """Doubles batches and adds losses between the halves; the first half runs all iterations.

    Args:
        stages: Weight of each stage's loss, see
            :func:`~iterbackbone.mm.training.distillation_hook.stage_loss`; 0.5.
        logits: Name of the module whose output are the logits (2B, classes, ...), such as
            ``'head.fc'`` or ``'decode_head.conv_seg'``; None for no loss on logits.
        logits_weight: Of ``T^2 KL(full || drawn)``; 0.25.
        temperature: T; 2.
    """

    def __init__(
        self,
        stages: float = 0.5,
        logits: str | None = None,
        logits_weight: float = 0.25,
        temperature: float = 2.0,
    ) -> None:
        self.stages = check_real('teacher.stages', stages)
        self.logits = logits
        self.logits_weight = check_real('teacher.logits_weight', logits_weight)
        self.temperature = check_real('teacher.temperature', temperature)
        if self.temperature <= 0:
            raise ValueError(f'teacher.temperature must be above 0, got {self.temperature:g}')
        if self.logits is not None and not isinstance(self.logits, str):
            raise TypeError(f"teacher.logits must be a module's name or None, got {self.logits!r}")
        self._found: dict[str, Tensor] = {}
        self._rows = 0  # of the doubled batch; 0 while none is, as when a hook measures BatchNorm

    def attach(self, model: nn.Module) -> list[Any]:
        """Listen to ``model``; ValueError without our backbone or the logits' module."""
        backbone = getattr(model, 'backbone', None)
        if not isinstance(backbone, AdaptiveModule):
            raise ValueError(f'teacher needs an iterative backbone, {type(model).__name__} has none')
        modules = dict(model.named_modules())
        if self.logits is not None and self.logits not in modules:
            raise ValueError(f'teacher.logits must name a module of the model, got {self.logits!r}')
        handles = [
            model.register_forward_pre_hook(self._double, with_kwargs=True),
            backbone.register_forward_hook(self._compare_stages),
            model.register_forward_hook(self._add, with_kwargs=True),
        ]
        if self.logits is not None:
            handles.append(modules[self.logits].register_forward_hook(self._compare_logits))
        return handles

    def _double(self, model: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        self._found, self._rows = {}, 0
        if not model.training or kwargs.get('mode') != 'loss':
            return None
        inputs, samples = kwargs.get('inputs'), kwargs.get('data_samples')
        if not isinstance(inputs, Tensor) or not isinstance(samples, list):
            raise ValueError('teacher needs batches of a tensor inputs and a list data_samples')
        self._rows = 2 * len(inputs)
        twice = dict(inputs=torch.cat([inputs, inputs]), data_samples=samples + copy.deepcopy(samples))
        return args, {**kwargs, **twice}

    def _compare_stages(self, backbone: Any, _: tuple, outputs: Sequence[Tensor]) -> None:
        if self._rows and backbone.training and self.stages:
            for k, features in zip(backbone.out_indices, outputs, strict=True):
                full, drawn = features.chunk(2)
                loss = self.stages * stage_loss(drawn, full.detach(), k)
                self._found[f'loss_anytime_stage{k}'] = loss

    def _compare_logits(self, module: nn.Module, _: tuple, logits: Tensor) -> None:
        if not self._rows or not torch.is_grad_enabled():  # as in a measurement
            return
        if 'loss_anytime_logits' in self._found or len(logits) != self._rows:
            raise ValueError(
                f'teacher.logits must name a module that is called once, with a row for each image, '
                f'got {self.logits!r}'
            )
        full, drawn = (x.float().div(self.temperature).log_softmax(dim=1) for x in logits.chunk(2))
        divergence = F.kl_div(drawn, full.detach(), reduction='none', log_target=True).sum(dim=1).mean()
        self._found['loss_anytime_logits'] = self.logits_weight * self.temperature**2 * divergence

    def _add(self, model: nn.Module, _: tuple, kwargs: dict, output: Any) -> Any:
        if not model.training or kwargs.get('mode') != 'loss' or not isinstance(output, dict):
            return None
        found, self._found = self._found, {}
        return {**output, **found}
