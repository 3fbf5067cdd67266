"""Exported files made smaller: convolutions in int8 or float16, halting in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from .calibration import ranges
from .fp16 import halved
from .graph import describe
from .int8 import quantized

PRECISIONS = ('int8', 'fp16')


def compressed(
    model: onnx.ModelProto,
    description: dict[str, Any],
    precision: str,
    images: Sequence[np.ndarray] = (),
) -> onnx.ModelProto:
    """A smaller copy of ``model`` that says what it is.

    Args:
        model, description: Of :func:`~iterbackbone.export.onnx.model_file.read_model`.
        precision: Of ``PRECISIONS``.
        images: Real ones, (B, 3, H, W) uint8 in RGB each, which set the ranges for int8.

    Raises:
        ValueError: ``precision`` is none of these, or int8 has no images.
    """
    if precision not in PRECISIONS:
        raise ValueError(f'precision must be one of {PRECISIONS}, got {precision!r}')
    if precision == 'fp16':
        smaller = halved(model)
    elif len(images):
        smaller = quantized(model, ranges(model, images))
    else:
        raise ValueError('images must be at least one for int8: its ranges come from real images')
    describe(smaller, {**description, 'precision': precision})
    return smaller
