"""Chooses the exported form of a model by its library."""

from __future__ import annotations

import copy
from typing import Any

from .models import ExportedClassifier, ExportedModel, ExportedSegmentor
from .pooling import with_bin_means


def _exported_detector(model: Any, fixed: int | None) -> ExportedModel:
    from .detectors import exported_detector  # the one that needs mmdet

    return exported_detector(model, fixed)


KINDS = {  # by library; the first part of a class's module
    'mmpretrain': ExportedClassifier,
    'mmseg': ExportedSegmentor,
    'mmdet': _exported_detector,
}


def exported(model: Any, fixed: int | None = None) -> ExportedModel:
    """The exported form of a copy of a classifier, segmentor or detector.

    Raises:
        TypeError: it is none of these, or its backbone is no IterativeResNet.
        ValueError: it has something that cannot be exported.
    """
    libraries = {kind.__module__.split('.')[0] for kind in type(model).__mro__}
    for library, kind in KINDS.items():
        if library in libraries:
            return kind(with_bin_means(copy.deepcopy(model)), fixed)
    raise TypeError(f'model must be of one of {sorted(KINDS)}, got {type(model).__name__}')
