"""Finds the price for each share of the full MACs, by running the fitted policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..core.adaptive import AdaptiveModule
from ..core.budget_table import Setting
from .halting import FittedBlock, settings
from .static import Depths, Outcome

TOLERANCE = 0.01  # of a share: a table holds what was met, so that no more is needed
NEAR = 0.02  # of a share, for a promise
ROUNDS = 3  # runs for one share


class Calibrated(NamedTuple):
    """The policy at one share.

    Attributes:
        asked, share: Of the full MACs, wanted and met on the calibration images.
        settings: Of each module.
        outcome: On the calibration images.
    """

    asked: float
    share: float
    settings: list[Setting]
    outcome: Outcome


def calibrate(
    run: Callable[[list[Setting]], Outcome],
    modules: Sequence[AdaptiveModule],
    fitted: Sequence[FittedBlock],
    options: Sequence[Depths],
    shares: Sequence[float],
    full_macs: float,
    lowest: float,
    progress: Callable[[Iterable], Iterable] = iter,
) -> list[Calibrated]:
    """Meet every share, with the constants and the price that promise the lowest loss there.

    Args:
        run: Runs the calibration images with settings of the modules.
        modules: Whose units are fitted.
        fitted: Their blocks.
        options: Candidates for the constants.
        shares: Wanted, ascending.
        full_macs: Mean MACs of all iterations on the calibration images.
        lowest: Share of one iteration everywhere there.
        progress: Wraps the shares, such as tqdm.
    """
    found: list[Calibrated] = []
    error = 0.0  # of the last share's promise
    for wanted in progress(shares):
        target = wanted - lowest - error
        promises = [_promise(fitted, constants, target) for constants in options]
        best = _best(promises, target)
        first, nearest = _met(run, modules, fitted, best, wanted, full_macs)
        error = first.share - lowest - best.share
        found.append(nearest)
    return found


class _Promise(NamedTuple):
    constants: Depths
    share: float  # above the lowest
    loss: float
    log_price: float


def _best(promises: Sequence[_Promise], share: float) -> _Promise:
    """The lowest loss among those near the share, else the nearest."""
    near = [p for p in promises if abs(p.share - share) <= NEAR]
    return (
        min(near, key=lambda p: p.loss) if near else min(promises, key=lambda p: abs(p.share - share))
    )


def _promise(fitted: Sequence[FittedBlock], constants: Depths, share: float) -> _Promise:
    """The price at which these constants are to meet a share, by bisection of its logarithm.

    Promised as if blocks did not act on each other.
    """
    blocks = list(zip(fitted, constants, strict=True))
    low, high = _log_prices(fitted)
    for _ in range(30):
        middle = (low + high) / 2
        if sum(block.share(depth, _price(middle)) for block, depth in blocks) > share:
            low = middle
        else:
            high = middle
    position = (low + high) / 2
    price = _price(position)
    met = sum(block.share(depth, price) for block, depth in blocks)
    return _Promise(constants, met, sum(b.change(depth, price) for b, depth in blocks), position)


def _log_prices(fitted: Sequence[FittedBlock]) -> tuple[float, float]:
    """Positions of prices: negative ones, too, are needed where going on is predicted to harm."""
    largest = [float(f.indices.abs().max()) for f in fitted if f.unit is not None]
    limit = max(largest, default=0.0) * 1.01 + 1e-9
    return -_position(limit), _position(limit)


def _position(price: float) -> float:
    return math.asinh(price * 1e3)


def _price(position: float) -> float:
    return math.sinh(position) / 1e3


def _met(
    run: Callable[[list[Setting]], Outcome],
    modules: Sequence[AdaptiveModule],
    fitted: Sequence[FittedBlock],
    promise: _Promise,
    wanted: float,
    full_macs: float,
) -> tuple[Calibrated, Calibrated]:
    """Runs around the wanted share, as promises are only near it: the first and the nearest."""
    low, high = _log_prices(fitted)
    position, runs = promise.log_price, []
    for _ in range(ROUNDS):
        each = settings(fitted, modules, promise.constants, _price(position))
        outcome = run(each)
        share = float(outcome.macs.mean()) / full_macs
        runs.append((position, Calibrated(wanted, share, each, outcome)))
        if abs(share - wanted) <= TOLERANCE or all(f.unit is None for f in fitted):
            break
        low, high = (position, high) if share > wanted else (low, position)
        position = _between(runs, wanted, low, high)
    return runs[0][1], min((c for _, c in runs), key=lambda c: abs(c.share - wanted))


def _between(runs: Sequence[tuple[float, Calibrated]], wanted: float, low: float, high: float) -> float:
    """The next position: a line through the two nearest runs, if it stays inside the bracket."""
    if len(runs) > 1:
        (p, a), (q, b) = sorted(runs, key=lambda r: abs(r[1].share - wanted))[:2]
        if a.share != b.share:
            position = p + (wanted - a.share) * (q - p) / (b.share - a.share)
            if low < position < high:
                return position
        return (low + high) / 2
    p, c = runs[0]
    return min(max(p + 2.0 * (c.share - wanted) * 5.0, low), high)
