"""Graphs that are captured from one run, which a loop that follows the images does not fit."""

from __future__ import annotations

import torch


def is_traced() -> bool:
    """Whether torch.jit.trace, or torch.onnx.export without dynamo, is watching."""
    return torch.jit.is_tracing()


def check_not_captured(name: str) -> None:
    """Raise RuntimeError where a call is traced or exported; torch.compile may capture parts of one."""
    exporting = getattr(torch.compiler, 'is_exporting', None)  # torch 2.7 has it
    if is_traced() or (exporting is not None and exporting()):
        raise RuntimeError(
            f'{name} can be neither traced nor exported as it is, as every image decides how often its '
            'loops run: trace or export iterbackbone.export.ExportForm(network); for whole '
            'models there is tools/export_onnx.py'
        )
