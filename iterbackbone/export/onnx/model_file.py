"""Reads files of tools/export_onnx.py, which may be damaged or written by strangers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import onnx

from .images import steps_of

KEY = 'iterbackbone'  # of the description
NEEDED = ('image', 'iterations', 'macs')  # inputs and outputs of every exported file


def read_model(path: Path) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """A float32 file, and its description.

    Raises:
        OSError: ``path`` cannot be read.
        ValueError: it is damaged, no such file, or no longer float32.
    """
    try:
        model = onnx.load(path, format='protobuf')
        onnx.checker.check_model(model, full_check=True)
    except OSError:
        raise
    except Exception as error:  # of several kinds without a common base
        raise ValueError(f'FILE must be a valid ONNX file, {path} is none: {error}') from error
    properties = {entry.key: entry.value for entry in model.metadata_props}
    try:
        description = msgspec.json.decode(properties.get(KEY, ''), type=dict[str, Any])
        steps_of(description.get('steps'))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(
            f'FILE must be written by tools/export_onnx.py, {path} has no such description: {error}'
        ) from error
    if 'precision' in description:
        raise ValueError(f'FILE must be float32, {path} is {description["precision"]!r:.20} already')
    names = [value.name for value in [*model.graph.input, *model.graph.output]]
    if missing := [name for name in NEEDED if name not in names]:
        raise ValueError(f'FILE must have {", ".join(NEEDED)}, {path} lacks {", ".join(missing)}')
    return model, description
