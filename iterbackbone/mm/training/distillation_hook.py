"""A frozen teacher whose stage outputs supervise the backbone's stages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.validation import check_int_tuple, check_real
from ...registry import HOOKS
from ..checkpoints import is_pretrained, pretrained_weights
from ..traces import handles_on, refuse_second, unwrapped

CLASSIFIER = re.compile(r'(fc|head|neck)\.')  # a classifier's leftovers in a teacher's checkpoint


@HOOKS.register_module()
class StageDistillationHook(Hook):
    """``loss_distill_stage{k}`` = weight x (1 - correlation with the teacher's stage k).

    The teacher reads what the model's backbone reads, in evaluation mode and without gradient.
    It is no part of the model, its state dict, optimizer or checkpoints; evaluation never runs it.
    A PyTorch forward hook adds the losses to the model's, so that DDP, AMP and gradient accumulation
    see them.

    Args:
        teacher: Config of a backbone, with ``init_cfg=dict(type='Pretrained', ...)``. It and
            the model's backbone need the same channels and strides.
        weight: Of each stage's loss, which is between 0 and 2.
        stages: Numbers of the supervised stages, from 0, as in the backbones'
            ``out_indices``; None for all that both return.
    """

    def __init__(self, teacher: dict, weight: float = 1.0, stages: Sequence[int] | None = None) -> None:
        init_cfg = teacher.get('init_cfg') if isinstance(teacher, dict) else None
        if not isinstance(init_cfg, dict) or not is_pretrained(init_cfg):
            raise ValueError(
                "teacher must be a backbone's config with init_cfg=dict(type='Pretrained', "
                f'checkpoint=...), got {teacher!r}'
            )
        self.teacher_config = teacher
        self.weight = check_real('weight', weight)
        self.stages = None if stages is None else check_int_tuple('stages', stages, None, 0)
        self._teacher: nn.Module | None = None
        self._losses: list[dict[str, Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Attach to the model; ValueError where the teacher does not fit it, or for a second hook."""
        refuse_second(runner, StageDistillationHook)
        model = unwrapped(runner.model)
        handles = handles_on(model, 'distillation')
        student = getattr(model, 'backbone', None)
        if student is None:
            raise ValueError(f'StageDistillationHook: {type(model).__name__} has no backbone')
        teacher = build_teacher(self.teacher_config)
        self._supervised = supervised_stages(student.out_indices, teacher.out_indices, self.stages)
        self._teacher = teacher.to(next(student.parameters()).device)
        handles += [
            model.register_forward_pre_hook(self._before_forward),
            student.register_forward_hook(self._compare),
            model.register_forward_hook(self._add_losses, with_kwargs=True),
        ]

    def after_train(self, runner: Runner) -> None:
        handles_on(unwrapped(runner.model), 'distillation')  # removes them
        self._losses, self._teacher = [], None

    def _before_forward(self, _: nn.Module, __: tuple) -> None:
        self._losses = []

    def _compare(self, student: nn.Module, inputs: tuple, outputs: Sequence[Tensor]) -> None:
        if not student.training:
            return
        with torch.no_grad():
            targets = self._teacher(*inputs)
        of_student = dict(zip(student.out_indices, outputs, strict=True))
        of_teacher = dict(zip(self._teacher.out_indices, targets, strict=True))
        losses = {k: stage_loss(of_student[k], of_teacher[k], k) for k in self._supervised}
        self._losses.append({f'loss_distill_stage{k}': self.weight * x for k, x in losses.items()})

    def _add_losses(self, _: nn.Module, __: tuple, kwargs: dict, output: Any) -> Any:
        calls, self._losses = self._losses, []
        # A student in evaluation mode is not compared, as where a hook asks for a validation loss.
        if not calls or kwargs.get('mode') != 'loss' or not isinstance(output, dict):
            return None
        return {**output, **{key: sum(call[key] for call in calls) / len(calls) for key in calls[0]}}


def build_teacher(config: dict) -> nn.Module:
    """The teacher, frozen, in evaluation mode; ValueError as :func:`.pretrained_weights`."""
    teacher = MODELS.build(config)
    weights = pretrained_weights(teacher, teacher.init_cfg, CLASSIFIER)
    teacher.load_state_dict(weights, strict=False)
    teacher.eval()  # returns None in mmpretrain
    return teacher.requires_grad_(False)


def supervised_stages(
    student: Sequence[int], teacher: Sequence[int], stages: Sequence[int] | None
) -> tuple[int, ...]:
    """Those to compare; ValueError for none, or where one is not in both ``out_indices``."""
    common = [k for k in student if k in teacher]
    chosen = common if stages is None else stages
    if not chosen or not set(chosen) <= set(common):
        raise ValueError(
            f'stages must be among the out_indices of both backbones, got {stages}; '
            f'the student has {tuple(student)}, the teacher {tuple(teacher)}'
        )
    return tuple(chosen)


def stage_loss(student: Tensor, teacher: Tensor, stage: int) -> Tensor:
    """1 - Pearson's correlation over images and positions, averaged over the channels.

    Half the squared difference of feature maps (B, C, H, W) brought to mean 0 and variance 1 per
    channel, as in PKD (Cao et al. 2022, https://arxiv.org/abs/2207.02039): the student's own scale
    and shift, which the norms behind it take out, cost nothing. A float32 scalar in [0, 2];
    ValueError, which names the ``stage``, for other shapes.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f'teacher must return the shapes of the student, got {tuple(teacher.shape)} instead '
            f'of {tuple(student.shape)} in stage {stage}'
        )
    rows = [features.float().transpose(0, 1).flatten(1) for features in (student, teacher)]
    # F.batch_norm refuses one value a channel.
    return F.mse_loss(*(F.layer_norm(x, x.shape[1:], eps=1e-6) for x in rows)) / 2
