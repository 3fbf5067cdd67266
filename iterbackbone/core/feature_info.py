"""Which feature maps a backbone returns, and what they are in timm's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .validation import check_int_tuple


class FeatureInfo(list[dict[str, Any]]):
    """One dict for each returned map: ``num_chs``, ``reduction`` (its stride), ``module``."""

    def channels(self) -> list[int]:
        """Channels of each map."""
        return [info['num_chs'] for info in self]

    def reduction(self) -> list[int]:
        """Stride of each map: input pixels to one of its own."""
        return [info['reduction'] for info in self]

    def module_name(self) -> list[str]:
        """Which module each map comes from."""
        return [info['module'] for info in self]


def checked_out_indices(out_indices: Sequence[int] | None, num_stages: int) -> tuple[int, ...]:
    """Stages to return: ascending, without repetition, the last of ``num_stages`` among them."""
    if out_indices is None:
        return tuple(range(num_stages))
    indices = ascending_stages(out_indices, num_stages)
    if indices[-1] != num_stages - 1:
        raise ValueError(
            f'out_indices must contain the last stage, got {indices} of {num_stages} stages: what no '
            f'output needs would run untrained; set num_stages={indices[-1] + 1}'
        )
    return indices


def ascending_stages(out_indices: Sequence[int], num_stages: int, lowest: int = 0) -> tuple[int, ...]:
    """Stages among ``num_stages``, ascending and without repetition.

    Args:
        out_indices: Their numbers; negative ones count from the last stage.
        num_stages: How many there are.
        lowest: Number that is allowed, ``-num_stages`` to count from the last.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed.
    """
    given = check_int_tuple('out_indices', out_indices, None, lowest)
    indices = tuple(k + num_stages if k < 0 else k for k in given)
    if not indices or list(indices) != sorted(set(indices)) or indices[-1] >= num_stages:
        raise ValueError(
            f'out_indices must be ascending stages between 0 and {num_stages - 1}, got {given}'
        )
    return indices
