"""Reads files of tools/export_onnx.py, which may be damaged or written by strangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import uses_external_data

from .images import check_steps

KEY = 'iterbackbone'  # of the description
NEEDED = ('image', 'iterations', 'macs')  # inputs and outputs of every exported file


def read_model(path: Path) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """A float32 file, and its description.

    Raises:
        OSError: ``path`` cannot be read.
        ValueError: it is damaged, no such file, or no longer float32.
    """
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
        properties = {entry.key: entry.value for entry in model.metadata_props}
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'FILE must be a whole ONNX file, {path} cannot be decoded') from error
    if KEY not in properties:
        raise ValueError(
            f'FILE must be written by tools/export_onnx.py, {path} has no description of that kind'
        )
    description = _description(properties[KEY], path)
    _check_graph(model, path)
    return model, description


def _description(text: str, path: Path) -> dict[str, Any]:
    try:
        description = json.loads(text)
    except (ValueError, RecursionError):
        description = None
    if not isinstance(description, dict):
        raise ValueError(f'FILE must describe itself, the description of {path} is no JSON object')
    if 'precision' in description:
        raise ValueError(f'FILE must be float32, {path} is {description["precision"]!r:.20} already')
    check_steps(description.get('steps'))
    return description


def _check_graph(model: onnx.ModelProto, path: Path) -> None:
    names = [value.name for value in [*model.graph.input, *model.graph.output]]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise ValueError(f'FILE must have {", ".join(NEEDED)}, {path} lacks {", ".join(missing)}')
    if any(map(uses_external_data, _tensors(model.graph))):  # looked up in the current folder
        raise ValueError(f'FILE must hold its weights itself, those of {path} are in other files')
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # of several kinds without a common base
        raise ValueError(f'FILE must be a valid ONNX file, {path} is none: {error}') from error


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """All constants, those of the graphs inside too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)
