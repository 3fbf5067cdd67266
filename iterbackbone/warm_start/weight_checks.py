"""What keeps a checkpoint's value from being a weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .weights_unpickler import OtherTensor

NEVER_NEGATIVE = ('running_var', 'num_batches_tracked')


def flaws(found: Mapping[str, Any], dtypes: Mapping[str, torch.dtype]) -> list[str]:
    """Values that cannot be copied as they are, or that no training leaves behind.

    Args:
        found: A checkpoint's values by key.
        dtypes: Of the network's tensors by key; keys that ``found`` lacks are passed over.

    Returns:
        ``'key (reason)'`` for each.
    """
    reasons = ((key, _flaw(key, found[key], dtype)) for key, dtype in dtypes.items() if key in found)
    return [f'{key} ({reason})' for key, reason in reasons if reason]


def _flaw(key: str, value: Any, dtype: torch.dtype) -> str | None:
    if not isinstance(value, Tensor):
        return value.kind if isinstance(value, OtherTensor) else f'a {type(value).__name__}'
    if value.layout != torch.strided or value.is_quantized or value.is_meta or value.is_nested:
        return 'not a dense tensor'
    if value.numel() * value.itemsize > value.untyped_storage().nbytes():
        return 'more numbers than the file holds'  # a few, repeated to any size
    if _kind(value.dtype) != _kind(dtype):
        return f'{_name(value.dtype)} instead of {_name(dtype)}'
    if not value.to(dtype).isfinite().all():
        return f'NaN or infinite in {_name(dtype)}'
    if key.endswith(NEVER_NEGATIVE) and (value < 0).any():
        return 'negative'
    return None


def _kind(dtype: torch.dtype) -> str:
    if dtype.is_floating_point or dtype.is_complex:
        return 'floating point' if dtype.is_floating_point else 'complex'
    return 'bool' if dtype == torch.bool else 'integer'


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix('torch.')
