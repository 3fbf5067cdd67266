"""Exported files made smaller: convolutions in int8 or float16, halting in float32."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from .calibration import ranges
from .fp16 import halved
from .graph import describe
from .int8 import quantized

PRECISIONS = ('int8', 'fp16')


def read_model(path: Path) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """A float32 file of tools/export_onnx.py, and its description.

    Raises:
        OSError: ``path`` cannot be read.
        ValueError: it is damaged, no such file, or no longer float32.
    """
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f'FILE must be a whole ONNX file, {path} cannot be decoded') from error
    properties = {entry.key: entry.value for entry in model.metadata_props}
    if 'iterbackbone' not in properties:
        raise ValueError(
            f'FILE must be written by tools/export_onnx.py, {path} has no description of that kind'
        )
    description = json.loads(properties['iterbackbone'])
    if 'precision' in description:
        raise ValueError(f'FILE must be float32, {path} is {description["precision"]} already')
    return model, description


def compressed(
    model: onnx.ModelProto,
    description: dict[str, Any],
    precision: str,
    images: Sequence[np.ndarray] = (),
) -> onnx.ModelProto:
    """A smaller copy of ``model`` that says what it is.

    Args:
        model, description: Of :func:`read_model`.
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
