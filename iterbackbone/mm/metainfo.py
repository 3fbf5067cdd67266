"""Iterations in each prediction's metainfo, for inference without a Runner."""

from __future__ import annotations

from typing import Any

from mmengine.structures import BaseDataElement
from torch import nn

from .image_compute import image_compute
from .trace_collector import TraceCollector


def report_iterations(model: nn.Module) -> nn.Module:
    """Make ``model`` put ``iterations`` (per stage) and ``macs`` into each prediction.

    For mmdet's ``init_detector`` and ``DetInferencer`` and their like in mmseg and
    mmpretrain: ``report_iterations(inferencer.model)``. Under a Runner use
    ``IterationLogHook``.

    Args:
        model: A detector, segmentor or classifier with an iterative backbone.

    Returns:
        The same model.

    Raises:
        ValueError: the model has no iterative module.
    """
    collector = TraceCollector(model)

    def before(_: nn.Module, __: tuple) -> None:
        collector.reset()

    def after(_: nn.Module, __: tuple, kwargs: dict, output: Any) -> None:
        if kwargs.get('mode') == 'predict' and all(isinstance(s, BaseDataElement) for s in output):
            images = image_compute(collector, len(output))
            for sample, compute in zip(output, images, strict=True):
                sample.set_metainfo({key: compute[key] for key in ('iterations', 'macs')})
        collector.reset()

    model.register_forward_pre_hook(before)
    model.register_forward_hook(after, with_kwargs=True)
    return model
