"""Finds the price for each share of the full MACs, by running the fitted policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from ..core.budget_table import NEAR, Setting
from .halting import FittedBlock
from .static import Depths, Outcome

TOLERANCE = 0.01  # of a share: a table holds what was met, so that no more is needed
PROMISED = 0.02  # of a share, between a promise and what is wanted
ROUNDS = 3  # runs for one share
GAP = 2 * NEAR  # of a share, between neighbours in the table
JUMP = 0.75  # of a gap, which runs in its middle left: the policy jumps there


class Calibrated(NamedTuple):
    """The policy at one share of the full MACs."""

    asked: float  # the share wanted
    share: float  # met on the calibration images
    setting: Setting  # of all blocks
    outcome: Outcome  # on the calibration images
    constants: Depths  # of the blocks without a unit
    position: float  # of the price, see :func:`_price`


class _Promise(NamedTuple):
    constants: Depths
    position: float
    share: float  # above the lowest
    loss: float


@dataclass
class Calibration:
    """Settings that meet shares, found by running the calibration images."""

    run: Callable[[Setting], Outcome]  # runs these images at a setting of all blocks
    fitted: Sequence[FittedBlock]  # the blocks
    options: Sequence[Depths]  # candidates for the constants
    full_macs: float  # mean MACs of all iterations on these images
    lowest: float  # share of one iteration everywhere there
    runs: list[Calibrated] = field(default_factory=list)  # all so far
    error: float = 0.0  # of the last promise

    def meet(self, wanted: float) -> Calibrated:
        """A share, with the constants and the price that promise the lowest loss there."""
        target = wanted - self.lowest - self.error
        promises = [self._promise(constants, target) for constants in self.options]
        near = [p for p in promises if abs(p.share - target) <= PROMISED]
        nearest = min(promises, key=lambda p: abs(p.share - target))
        best = min(near, key=lambda p: p.loss, default=nearest)
        tries = self._search(wanted, best.constants, best.position, self._bracket)
        self.error = tries[0].share - self.lowest - best.share
        return min(tries, key=lambda c: abs(c.share - wanted))

    def fill_gaps(self) -> None:
        """Run between neighbours too far apart for shares between them; only jumps are left."""
        jumps: set[tuple[float, float]] = set()
        while wide := [pair for pair in self._wide_gaps() if pair not in jumps]:
            low, high = wide[0]
            self._meet_between(*(next(r for r in self.runs if r.share == end) for end in wide[0]))
            inside = [(a, b) for a, b in self._wide_gaps() if a >= low and b <= high]
            jumps.update((a, b) for a, b in inside if b - a > JUMP * (high - low))

    def _meet_between(self, low: Calibrated, high: Calibrated) -> None:
        middle = (low.share + high.share) / 2
        if low.constants == high.constants:
            bracket = (high.position, low.position)  # a higher price means fewer iterations
            self._search(middle, low.constants, sum(bracket) / 2, bracket)
        else:
            self.meet(middle)

    def _wide_gaps(self) -> list[tuple[float, float]]:
        shares = sorted(run.share for run in self.runs)
        return [(low, high) for low, high in pairwise(shares) if high - low > GAP]

    @cached_property
    def _bracket(self) -> tuple[float, float]:
        """Positions of prices: negative ones, too, are needed where going on is predicted to harm."""
        largest = [float(f.indices.abs().max()) for f in self.fitted if f.unit is not None]
        limit = max(largest, default=0.0) * 1.01 + 1e-9
        return _position(-limit), _position(limit)

    def _promise(self, constants: Depths, share: float) -> _Promise:
        """By bisection of the price, as if blocks did not act on each other."""
        blocks = list(zip(self.fitted, constants, strict=True))
        low, high = self._bracket

        def met(position: float) -> float:
            return sum(block.share(depth, _price(position)) for block, depth in blocks)

        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if met(middle) > share else (low, middle)
        position = (low + high) / 2
        loss = sum(block.change(depth, _price(position)) for block, depth in blocks)
        return _Promise(constants, position, met(position), loss)

    def _search(
        self, wanted: float, constants: Depths, position: float, bracket: tuple[float, float]
    ) -> list[Calibrated]:
        """Runs around a share, as a promise is only near it."""
        low, high = bracket
        tries: list[Calibrated] = []
        for _ in range(ROUNDS):
            blocks = zip(self.fitted, constants, strict=True)
            pairs = [block.halting(depth, _price(position)) for block, depth in blocks]
            setting = Setting(*zip(*pairs, strict=True))
            outcome = self.run(setting)
            share = outcome.cost / self.full_macs
            tries.append(Calibrated(wanted, share, setting, outcome, constants, position))
            if abs(share - wanted) <= TOLERANCE or all(f.unit is None for f in self.fitted):
                break
            low, high = (position, high) if share > wanted else (low, position)
            position = _between(tries, wanted, low, high)
        self.runs += tries
        return tries


def _between(tries: Sequence[Calibrated], wanted: float, low: float, high: float) -> float:
    """The next position: a line through the two nearest tries, if it stays inside the bracket."""
    if len(tries) == 1:
        return min(max(tries[0].position + 10.0 * (tries[0].share - wanted), low), high)
    a, b = sorted(tries, key=lambda t: abs(t.share - wanted))[:2]
    if a.share != b.share:
        slope = (b.position - a.position) / (b.share - a.share)
        if low < (position := a.position + (wanted - a.share) * slope) < high:
            return position
    return (low + high) / 2


def _position(price: float) -> float:
    return math.asinh(price * 1e3)


def _price(position: float) -> float:
    return math.sinh(position) / 1e3
