"""Iterations in each prediction's metainfo, for inference without a Runner."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmengine.structures import BaseDataElement
from torch import nn

from ..traces import TraceCollector
from .image_compute import image_compute


def report_iterations(model: nn.Module) -> nn.Module:
    """Make ``model`` put ``iterations`` (per stage) and ``macs`` into each prediction, and return it.

    For mmdet's ``init_detector`` and ``DetInferencer`` and their like in mmseg and
    mmpretrain: ``report_iterations(inferencer.model)``, then call the inferencer with
    ``return_datasamples=True``. Under a Runner use ``IterationLogHook``. ValueError: the model has no
    iterative module.
    """
    collector = TraceCollector(model)
    model.register_forward_pre_hook(collector.reset)
    # No closure, so that the model can be pickled.
    model.register_forward_hook(partial(_after, collector), with_kwargs=True)
    return model


def _after(
    collector: TraceCollector, _: nn.Module, __: tuple, kwargs: dict[str, Any], output: Any
) -> None:
    if kwargs.get('mode') == 'predict' and all(isinstance(s, BaseDataElement) for s in output):
        images = image_compute(collector, len(output))
        for sample, compute in zip(output, images, strict=True):
            sample.set_metainfo({key: compute[key] for key in ('iterations', 'macs')})
    collector.reset()
