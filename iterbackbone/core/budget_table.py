"""What fitting the halting leaves behind: which settings meet which share of the full MACs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

TO_THE_CAP = -1e4  # offset of a block that goes on up to its cap
NEAR = 0.03  # where no two points of equal caps are around a share, another one is as near


class Setting(NamedTuple):
    """How the K blocks halt at one share."""

    offsets: tuple[float, ...]  # added to each block's halting logit
    caps: tuple[int, ...]  # highest iterations of each block

    @classmethod
    def static(cls, depths: Sequence[int]) -> Setting:
        """At which every row stops at these depths, (K,)."""
        return cls((TO_THE_CAP,) * len(depths), tuple(depths))


class BudgetTable:
    """Calibrated settings by share, K = blocks of the module.

    Between two neighbouring points of equal caps offsets are interpolated; elsewhere the nearest
    point serves.

    Args:
        rows: (P, 1 + 2 K) float64, P at least 1: share, offsets, caps; finite, shares ascending, caps
            of at least 1.
    """

    def __init__(self, rows: Tensor) -> None:
        if not isinstance(rows, Tensor):
            raise TypeError(f'budget_table must be a tensor, got {rows!r}')
        self.rows = rows = rows.detach().to('cpu', torch.float64)
        if rows.ndim != 2 or len(rows) < 1 or rows.shape[1] < 3 or rows.shape[1] % 2 != 1:
            shape = tuple(rows.shape)
            raise ValueError(f'budget_table must have the shape (P, 1 + 2 K), got {shape}')
        ascending, caps = (rows[:, 0].diff() >= 0).all(), rows[:, 1 + self.blocks :]
        if not (rows.isfinite().all() and ascending and caps.min() >= 1):
            wanted = 'finite, its shares ascending, its caps at least 1'
            raise ValueError(f'budget_table must be {wanted}, got {rows.tolist()}')

    @classmethod
    def of(cls, points: Sequence[tuple[float, Setting]]) -> BudgetTable:
        """From (share, setting), in any order."""
        rows = [[share, *s.offsets, *s.caps] for share, s in sorted(points)]
        return cls(torch.tensor(rows, dtype=torch.float64))

    @property
    def blocks(self) -> int:
        """K."""
        return (self.rows.shape[1] - 1) // 2

    def at(self, share: float) -> Setting:
        """The setting for a share of the full MACs; ValueError where none near it was calibrated."""
        k = self.blocks
        for low, high in zip(self.rows, self.rows[1:], strict=False):
            if low[0] <= share <= high[0] and torch.equal(low[1 + k :], high[1 + k :]):
                width = float(high[0] - low[0])
                weight = (share - float(low[0])) / width if width else 0.0
                return self._setting(torch.lerp(low, high, weight))
        distances = (self.rows[:, 0] - share).abs()
        if not distances.min() <= NEAR:
            known = ', '.join(f'{s:.3f}' for s in self.rows[:, 0].tolist())
            raise ValueError(
                f'budget.share must be within {NEAR} of a calibrated share ({known}), got {share:g}'
            )
        return self._setting(self.rows[distances.argmin()])

    def _setting(self, row: Tensor) -> Setting:
        _, *values = row.tolist()
        return Setting(tuple(values[: self.blocks]), tuple(map(int, values[self.blocks :])))
