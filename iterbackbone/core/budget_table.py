"""What fitting the halting leaves behind: which settings meet which share of the full MACs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

TO_THE_CAP = -1e4  # offset of a block that goes on up to its cap
MET = 0.01  # calibration meets a share within this
NEAR = 0.03  # between points of other caps, which cannot be interpolated


class Setting(NamedTuple):
    """How the blocks halt at one share.

    Attributes:
        offsets: Added to each block's halting logit, (K,).
        caps: Highest iterations of each block, (K,).
    """

    offsets: tuple[float, ...]
    caps: tuple[int, ...]

    @classmethod
    def static(cls, depths: Sequence[int]) -> Setting:
        """At which every row stops at these depths, (K,)."""
        return cls((TO_THE_CAP,) * len(depths), tuple(depths))


class BudgetTable:
    """Calibrated settings by share, K = blocks of the module.

    Between two neighbouring points of equal caps offsets are interpolated; elsewhere the nearest
    point serves.

    Args:
        rows: (P, 1 + 2 K) float64, ascending: share, offsets, caps. P is at least 1.

    Raises:
        TypeError: ``rows`` is no tensor.
        ValueError: it has another shape, is not ascending or not finite, or a cap is below 1.
    """

    def __init__(self, rows: Tensor) -> None:
        if not isinstance(rows, Tensor):
            raise TypeError(f'budget_table must be a tensor, got {rows!r}')
        rows = rows.detach().to('cpu', torch.float64)
        if rows.ndim != 2 or rows.shape[0] < 1 or rows.shape[1] % 2 != 1 or rows.shape[1] < 3:
            shape = tuple(rows.shape)
            raise ValueError(f'budget_table must have the shape (P, 1 + 2 K), got {shape}')
        shares = rows[:, 0]
        if not rows.isfinite().all() or (shares.diff() < 0).any():
            found = shares.tolist()
            raise ValueError(f'budget_table must be finite, its shares ascending, got {found}')
        self.rows = rows
        if (caps := rows[:, 1 + self.blocks :]).min() < 1:
            raise ValueError(f'budget_table must have caps of at least 1, got {caps.tolist()}')

    @classmethod
    def of(cls, points: Sequence[tuple[float, Setting]]) -> BudgetTable:
        """From (share, setting), in any order."""
        rows = [[share, *s.offsets, *s.caps] for share, s in sorted(points)]
        return cls(torch.tensor(rows, dtype=torch.float64))

    @property
    def blocks(self) -> int:
        """K."""
        return (self.rows.shape[1] - 1) // 2

    @property
    def lowest(self) -> float:
        """Smallest share that was calibrated."""
        return float(self.rows[0, 0])

    @property
    def highest(self) -> float:
        """Largest share that was calibrated."""
        return float(self.rows[-1, 0])

    def at(self, share: float) -> Setting:
        """The setting for a share of the full MACs; that of an end, if it lies just outside.

        Raises:
            ValueError: ``share`` was not calibrated, naming the range that was.
        """
        asked, share = share, min(max(share, self.lowest), self.highest)
        if not abs(asked - share) <= MET:
            raise ValueError(
                f'budget.share must be between {self.lowest:.4g} and {self.highest:.4g}, '
                f'as calibrated, got {asked:g}'
            )
        k = self.blocks
        for low, high in zip(self.rows, self.rows[1:], strict=False):
            if low[0] <= share <= high[0] and torch.equal(low[1 + k :], high[1 + k :]):
                width = float(high[0] - low[0])
                weight = (share - float(low[0])) / width if width else 0.0
                return self._setting(torch.lerp(low, high, weight))
        distances = (self.rows[:, 0] - share).abs()
        if float(distances.min()) > NEAR:
            known = ', '.join(f'{s:.3f}' for s in self.rows[:, 0].tolist())
            raise ValueError(
                f'budget.share must be within {NEAR} of a calibrated share ({known}), got {share:g}'
            )
        return self._setting(self.rows[distances.argmin()])

    def _setting(self, row: Tensor) -> Setting:
        k = self.blocks
        return Setting(tuple(row[1 : 1 + k].tolist()), tuple(int(c) for c in row[1 + k :].tolist()))
