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
    'unpaired': 'largest share of boxes that only one has',
}
SAME_PIXELS = 0.999  # of a label map: two classes may tie
SAME = 0.995  # of the images in iterations, and of the boxes: rounding may decide which are the best
BOXES = ('boxes', 'scores', 'labels', 'masks')  # have a row for each box


class Comparison(NamedTuple):
    """One image, run by both."""

    # Of each result and of ``macs``: largest difference over the largest value; of ``SHARES`` the
    # share that differs; infinite where shapes differ.
    errors: dict[str, float]
    same_iterations: bool  # whether all blocks ran the same number
    margin: float  # least distance of a sum of scores to the threshold in PyTorch

    @property
    def agrees(self) -> bool:
        """Within the tolerances, or rounding decided otherwise where a sum met the threshold."""
        if not self.same_iterations:
            return self.margin < NEAR
        return all(
            error <= (1.0 - SAME_PIXELS if name == 'label_map' else TOLERANCE)
            for name, error in self.errors.items()
            if name != 'unpaired'
        )


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
        """Share of images with the same iterations in all blocks."""
        return float(np.mean([c.same_iterations for c in self.comparisons]))

    def worst(self) -> dict[str, float]:
        """Largest error of each result among the images with the same iterations."""
        names = self.comparisons[0].errors
        same = [c for c in self.comparisons if c.same_iterations]
        return {name: max((c.errors[name] for c in same), default=np.inf) for name in names}


def compare(
    session: Session,
    reference: Callable[[Array], tuple[Outputs, float]],
    feeds: Iterable[Mapping[str, Array]],
) -> Parity:
    """Run both on every image.

    Args:
        session: Of the exported file.
        reference: From an image, (B, 3, H, W) uint8, to the outputs by name and the margin.
        feeds: Inputs of the session; ``image`` is the reference's.

    Raises:
        ValueError: there is no image, or the runtime fails.
    """
    comparisons = []
    for feed in feeds:
        found, (wanted, margin) = run(session, feed), reference(feed['image'])
        counts = {name for name in found if name.endswith('iterations')}  # of regions, too
        same = all(np.array_equal(found[name], wanted[name]) for name in counts)
        one, other, unpaired = _paired(found, wanted, TOLERANCE)
        errors = {k: _error(k, v, other[k], np.max) for k, v in one.items() if k not in counts}
        comparisons.append(Comparison(errors | unpaired, same, margin))
    if not comparisons:
        raise ValueError('images must be at least one, got none')
    return Parity(comparisons)


class Agreement(NamedTuple):
    """Over all images."""

    apart: Array  # absolute difference of each image's iterations in each block, (n, K)
    same_shapes: float  # share of images whose results have the same shapes, that is as many boxes
    # Of each result over those images: mean difference over mean magnitude; of ``SHARES`` the share
    # that differs; empty if there are no such images.
    errors: dict[str, float]
    top1: float | None  # share of images with the same highest score; None without ``scores``

    @property
    def iterations(self) -> float:
        """Share of images with the same iterations in all blocks."""
        return float((self.apart == 0).all(axis=1).mean())


def agreement(old: bytes | str, new: bytes | str, images: Sequence[Array]) -> Agreement:
    """Run two files of a network, or their contents, on images, (B, 3, H, W) uint8 in RGB each."""
    sessions = open_session(old), open_session(new)
    pairs = [[run(session, {'image': image}) for session in sessions] for image in images]
    apart = np.abs(np.concatenate([a['iterations'] - b['iterations'] for a, b in pairs]))
    results = [name for name in pairs[0][0] if name != 'macs' and not name.endswith('iterations')]
    alike = [_paired(a, b) for a, b in pairs if all(a[n].shape == b[n].shape for n in results)]
    compared = results if alike else []
    errors = {
        n: float(np.mean([_error(n, b[n], a[n], np.mean) for a, b, _ in alike])) for n in compared
    }
    top1 = None
    if 'scores' in results and pairs[0][0]['scores'].ndim == 2:  # not those of boxes
        best = [a['scores'].argmax(1) == b['scores'].argmax(1) for a, b in pairs]
        top1 = float(np.concatenate(best).mean())
    return Agreement(apart, len(alike) / len(pairs), errors, top1)


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
    one: Outputs, other: Outputs, tolerance: float | None = None
) -> tuple[Outputs, Outputs, dict[str, float]]:
    """A detector's results with the boxes that both have, in one order; others' as they are.

    Near scores change places. Rounding decides which of two equal scores is among the best that go
    on to suppression, and which box is suppressed where the overlap meets the threshold. So boxes of
    other labels or places (``tolerance`` is of the largest coordinate) are left out; ``unpaired`` is
    their share.
    """
    if not {'boxes', 'labels'} <= one.keys():
        return one, other, {}
    apart = np.nan_to_num(np.abs(one['boxes'][:, None] - other['boxes']).max(axis=2), nan=1e6)
    apart[one['labels'][:, None] != other['labels']] += 1e6  # their own label comes first
    rows, columns = linear_sum_assignment(apart)
    if tolerance is not None:
        near = apart[rows, columns] <= tolerance * np.abs(other['boxes']).max(initial=0.0)
        rows, columns = rows[near], columns[near]
    one, other = (
        {**outputs, **{name: outputs[name][taken] for name in BOXES if name in outputs}}
        for outputs, taken in ((one, rows), (other, columns))
    )
    count = sum(apart.shape)
    return one, other, {'unpaired': 1.0 - 2 * len(rows) / count if count else 0.0}
