"""Which feature maps a backbone returns, and what they are in timm's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .validation import check_int_tuple


class FeatureInfo(list[dict[str, Any]]):
    """One dict for each returned map: ``num_chs``, ``reduction`` (its stride), ``module``."""

    def channels(self) -> list[int]:
        return [info['num_chs'] for info in self]

    def reduction(self) -> list[int]:
        return [info['reduction'] for info in self]

    def module_name(self) -> list[str]:
        return [info['module'] for info in self]


def ascending_stages(out_indices: Sequence[int], num_stages: int, lowest: int = 0) -> tuple[int, ...]:
    """Stages among ``num_stages``, ascending and without repetition.

    ``lowest`` is the lowest number allowed: with ``-num_stages`` they may count from the last.
    """
    given = check_int_tuple('out_indices', out_indices, None, lowest)
    indices = tuple(k + num_stages if k < 0 else k for k in given)
    if not indices or list(indices) != sorted(set(indices)) or indices[-1] >= num_stages:
        raise ValueError(
            f'out_indices must be ascending stages between 0 and {num_stages - 1}, got {given}'
        )
    return indices
