"""Whether an exported file does what PyTorch does, and how far two files lie apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from .runtime import Session, open_session, run

Array = np.ndarray
Outputs = Mapping[str, Array]

TOLERANCE = 1e-3  # of a result, relative to its largest absolute value
NEAR = 1e-4  # of the threshold: rounding may decide there whether an image goes on
SHARES = {  # not magnitudes
    'label_map': 'share of other pixels',
    'labels': 'share of other labels',
    'top1': 'share of images with another best class',
    'unpaired': 'share of boxes that only one has',
}
# Of shares. Rounding decides between classes that tie, and which boxes are among the best.
TOLERANCES = {'label_map': 1e-3, 'top1': 1.0, 'unpaired': 1.0}
SAME = 0.995  # of the images in iterations, and of the boxes
BOXES = ('boxes', 'scores', 'labels', 'masks')  # have a row for each box


class Comparison(NamedTuple):
    """One image, or batch, run by both."""

    # Of each result and of ``macs``: difference over value; of ``SHARES`` the share that differs;
    # infinite where shapes differ.
    errors: dict[str, float]
    same_iterations: bool  # whether all blocks ran the same number, for regions, too
    margin: float  # least distance of a sum of scores to the threshold in PyTorch
    apart: Array  # absolute difference of iterations, (B, K)

    @property
    def agrees(self) -> bool:
        """Within the tolerances, or rounding decided otherwise where a sum met the threshold."""
        if not self.same_iterations:
            return self.margin < NEAR
        return all(error <= TOLERANCES.get(name, TOLERANCE) for name, error in self.errors.items())


class Parity(NamedTuple):
    """All images."""

    comparisons: Sequence[Comparison]

    @property
    def agrees(self) -> bool:
        """Whether every image does, and nearly all iterations and boxes are the same."""
        unpaired = [c.errors.get('unpaired', 0.0) for c in self.comparisons if c.same_iterations]
        return (
            all(c.agrees for c in self.comparisons)
            and self.same_iterations >= SAME
            and sum(unpaired) <= (1.0 - SAME) * len(unpaired)
        )

    @property
    def same_iterations(self) -> float:
        """Share of images with the same iterations in all blocks, for regions, too."""
        return float(np.mean([c.same_iterations for c in self.comparisons]))

    @property
    def apart(self) -> Array:
        """Absolute difference of each image's iterations in each block, (n, K)."""
        return np.concatenate([c.apart for c in self.comparisons])

    def worst(self) -> dict[str, float]:
        """Largest error of each result among the images with the same iterations."""
        names = self.comparisons[0].errors
        same = [c for c in self.comparisons if c.same_iterations]
        return {name: max((c.errors[name] for c in same), default=np.inf) for name in names}

    def mean(self) -> dict[str, float]:
        """Mean error of each result, that of boxes over the images with a common one; else NaN."""
        paired = [c for c in self.comparisons if c.errors.get('unpaired') != 1.0]
        means = {}
        for name in self.comparisons[0].errors:
            counted = self.comparisons if name in ('macs', 'unpaired') else paired
            means[name] = float(np.mean([c.errors[name] for c in counted])) if counted else np.nan
        return means


def compare(
    session: Session,
    reference: Callable[[Array], tuple[Outputs, float]],
    feeds: Iterable[Mapping[str, Array]],
    of: Callable[[Array], Any] = np.max,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Run both on every image.

    Args:
        session: Of the exported file.
        reference: From an image, (B, 3, H, W) uint8, to the outputs by name and the margin.
        feeds: Inputs of the session; ``image`` is the reference's.
        of: Of a result, what its error is: the largest difference over the largest value, or the mean.
        tolerance: Over the largest coordinate, within which two boxes are one.

    ValueError where there is no image, or the runtime fails.
    """
    comparisons = []
    for feed in feeds:
        found, (wanted, margin) = run(session, feed), reference(feed['image'])
        counts = {name for name in found if name.endswith('iterations')}  # of regions, too
        same = all(np.array_equal(found[name], wanted[name]) for name in counts)
        apart = np.abs(found['iterations'] - wanted['iterations'])
        one, other, unpaired = _paired(found, wanted, tolerance)
        errors = {k: _error(k, v, other[k], of) for k, v in one.items() if k not in counts}
        if 'scores' in one and one['scores'].ndim == 2:  # not those of boxes
            best = one['scores'].argmax(axis=1) != other['scores'].argmax(axis=1)
            errors['top1'] = float(best.mean())
        comparisons.append(Comparison(errors | unpaired, same, margin, apart))
    if not comparisons:
        raise ValueError('images must be at least one, got none')
    return Parity(comparisons)


def agreement(old: bytes | str, new: bytes | str, images: Sequence[Array]) -> Parity:
    """Mean errors of a file, or its content, against an old one's; (B, 3, H, W) uint8 in RGB each."""
    session = open_session(old)
    feeds = ({'image': image} for image in images)
    return compare(
        open_session(new), lambda image: (run(session, {'image': image}), np.inf), feeds, np.mean, 1e9
    )


def _error(name: str, found: Array, wanted: Array, of: Callable[[Array], Any]) -> float:
    """Largest or mean (``of``) difference over that magnitude; of labels the share of other ones."""
    if found.shape != wanted.shape:
        return float('inf')
    if found.size == 0:  # no box was found
        return 0.0
    if name in SHARES:
        return float(np.mean(found != wanted))
    difference = of(np.abs(found.astype(np.float64) - wanted))
    return float(difference / max(of(np.abs(wanted)), np.finfo(np.float32).tiny))


def _paired(
    one: Outputs, other: Outputs, tolerance: float
) -> tuple[Outputs, Outputs, dict[str, float]]:
    """A detector's results with the boxes that both have, in one order; others' as they are.

    Near scores change places. Rounding decides which of two equal scores is among the best that go
    on to suppression, and which box is suppressed where the overlap meets the threshold. So boxes of
    other labels or places are left out; ``unpaired`` is their share.
    """
    if not {'boxes', 'labels'} <= one.keys():
        return one, other, {}
    apart = np.nan_to_num(np.abs(one['boxes'][:, None] - other['boxes']).max(axis=2), nan=1e6)
    apart[one['labels'][:, None] != other['labels']] += 1e6  # their own label comes first
    limit = tolerance * np.nanmax(np.abs(other['boxes']), initial=0.0)
    rows, columns = linear_sum_assignment(np.minimum(apart, 2 * limit))  # near ones, however many
    near = apart[rows, columns] <= limit
    rows, columns = rows[near], columns[near]
    one, other = (
        {**outputs, **{name: outputs[name][taken] for name in BOXES if name in outputs}}
        for outputs, taken in ((one, rows), (other, columns))
    )
    count = sum(apart.shape)
    return one, other, {'unpaired': 1.0 - 2 * len(rows) / count if count else 0.0}
