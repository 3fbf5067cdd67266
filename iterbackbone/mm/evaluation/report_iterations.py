"""Iterations in each prediction's metainfo, for inference without a Runner."""

from __future__ import annotations

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
    _Reporter(model)
    return model


class _Reporter:
    """Listens to the model's forward passes; a class, so that the model can be pickled."""

    def __init__(self, model: nn.Module) -> None:
        self._collector = TraceCollector(model)
        model.register_forward_pre_hook(self._before)
        model.register_forward_hook(self._after, with_kwargs=True)

    def _before(self, _: nn.Module, __: tuple) -> None:
        self._collector.reset()

    def _after(self, _: nn.Module, __: tuple, kwargs: dict, output: Any) -> None:
        if kwargs.get('mode') == 'predict' and all(isinstance(s, BaseDataElement) for s in output):
            images = image_compute(self._collector, len(output))
            for sample, compute in zip(output, images, strict=True):
                sample.set_metainfo({key: compute[key] for key in ('iterations', 'macs')})
        self._collector.reset()
