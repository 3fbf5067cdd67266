"""A data set's mean average precision of several runs, and of what is put together from them.

Shape legend: r runs, n images, c classes, t thresholds, d detections, B weightings at once. A step is
a score at which some detection of a class is right; s steps of all classes. Precision at the steps is
all that the curve's area needs, and it follows from the weights by two sparse matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .detection_error import IGNORED, IOU_THRESHOLD, RIGHT, Boxes, match
from .run_scores import Array, Index, RunScores, mean_ratio

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
AT_ONCE = 2**21  # weights of images in runs, or of steps


class Detections(NamedTuple):
    """By class, and within a class by falling score."""

    run: Index  # (d,) by which run
    image: Index  # (d,) in which image
    column: Index  # (d,) of which class
    score: Array  # (d,)
    outcome: NDArray[np.int8]  # (t, d) of ``RIGHT``, ``WRONG`` and ``IGNORED``

    def take(self, places: NDArray) -> Detections:
        run, image, column, score, outcome = self
        return Detections(run[places], image[places], column[places], score[places], outcome[:, places])


class Steps(NamedTuple):
    """The steps of all classes at one threshold."""

    right: sparse.csr_matrix  # (s, r * n) right detections of each image in each run at each step
    counted: sparse.csr_matrix  # (s, r * n) right and wrong ones there and since the step before
    starts: Index  # (c + 1,) the first step of each class, and s


class AveragePrecision(RunScores):
    """Mean over classes and IoU thresholds of the area under the precision-recall curve, in points.

    Detections are matched by :func:`~iterbackbone.stats.detection_error.match`, the rule of PASCAL
    VOC but for COCO's crowds; those of one score enter the curve together, so that the order of
    images is of no account. Classes without an object to find have no term.
    """

    def __init__(self, detections: Detections, objects: Array, num_runs: int) -> None:
        """``objects`` are (n, c) objects to find; the detections are of these classes."""
        self.detections, self.objects = detections, objects
        self.num_runs, self.num_images = num_runs, len(objects)

    @classmethod
    def of_boxes(
        cls,
        predicted: Sequence[Sequence[Boxes]],
        true: Sequence[Boxes],
        difficult: Sequence[Boxes | None] | None = None,
        thresholds: Sequence[float] = (IOU_THRESHOLD,),
        crowds: bool = False,
    ) -> AveragePrecision:
        """Match the detections of r runs on n images, a run the boxes of each image.

        ``difficult`` objects are neither to be found nor wrong to find, with ``crowds`` COCO's.

        Raises:
            ValueError: the runs differ in their number of images, or there is no object.
        """
        lengths = {len(true), len(difficult or true), *map(len, predicted)}
        labels = np.unique(np.concatenate([boxes.labels for boxes in true]))
        if len(lengths) > 1 or not len(labels):
            raise ValueError(
                f'predicted and true must be of the same images, with objects; got {sorted(lengths)} '
                f'images and {len(labels)} classes'
            )
        spared = difficult or [None] * len(true)
        found = [
            (r, i, boxes, match(boxes, true[i], spared[i], thresholds, crowds))
            for r, run in enumerate(predicted)
            for i, boxes in enumerate(run)
        ]
        sizes = [len(boxes.labels) for _, _, boxes, _ in found]
        label = np.concatenate([boxes.labels for _, _, boxes, _ in found])
        score = np.concatenate([boxes.scores for _, _, boxes, _ in found])
        run, image = (np.repeat([entry[k] for entry in found], sizes) for k in (0, 1))
        outcome = np.concatenate([outcomes for *_, outcomes in found], axis=1)
        whole = Detections(run, image, np.searchsorted(labels, label), score, outcome)
        order = np.lexsort((-score, label))
        kept = whole.take(order[np.isin(label[order], labels)])
        objects = [(boxes.labels[:, None] == labels).sum(axis=0) for boxes in true]
        return cls(kept, np.array(objects, dtype=float), len(predicted))

    def mixed(self, shares: Array, counts: Array) -> Array:
        parts = self._parts(len(counts))
        return np.concatenate([self._score(shares[b, :, None] * counts[b, None]) for b in parts])

    def chosen(self, choice: Index) -> Array:
        runs, parts = np.arange(self.num_runs)[:, None], self._parts(len(choice))
        return np.concatenate([self._score((choice[b, None] == runs).astype(float)) for b in parts])

    def take(self, runs: Sequence[int] | Index) -> AveragePrecision:
        new = np.full(self.num_runs, -1)
        new[np.array(runs, dtype=int)] = np.arange(len(runs))
        moved = self.detections._replace(run=new[self.detections.run])
        return AveragePrecision(moved.take(moved.run >= 0), self.objects, len(runs))

    def _parts(self, total: int) -> list[slice]:
        most = max(self.num_runs * self.num_images, *(s.right.shape[0] for s in self._steps), 1)
        size = max(1, AT_ONCE // most)
        return [slice(start, start + size) for start in range(0, total, size)]

    def _score(self, weights: Array) -> Array:
        """(B, r, n) weights of the images in the runs to (B,)."""
        objects = weights.sum(axis=1) @ self.objects
        flat = np.ascontiguousarray(weights.reshape(len(weights), -1).T)
        areas = np.mean([_areas(steps, flat) for steps in self._steps], axis=0).T
        return mean_ratio(areas, objects)

    @cached_property
    def _steps(self) -> list[Steps]:
        shape = self.num_runs, *self.objects.shape
        return [_steps(self.detections, outcome, shape) for outcome in self.detections.outcome]


def _steps(detections: Detections, outcome: NDArray[np.int8], shape: tuple[int, ...]) -> Steps:
    """Of one threshold's (d,) outcomes; ``shape`` is (r, n, c)."""
    run, image, column, score, _ = detections
    runs, images, classes = shape
    changes = (column[1:] != column[:-1]) | (score[1:] != score[:-1])
    tie = np.cumsum(np.append(0, changes))[: len(score)]  # the same for one score of one class
    right, place = outcome == RIGHT, run * images + image
    steps, first = np.unique(tie[right], return_index=True)
    step_column = column[right][first]
    step = np.searchsorted(steps, tie)  # the next one, which exists unless nothing right follows
    counted = (outcome != IGNORED) & (step < len(steps))
    counted[counted] = step_column[step[counted]] == column[counted]
    found, shown = (
        sparse.csr_matrix((np.ones(of.sum()), (step[of], place[of])), (len(steps), runs * images))
        for of in (right, counted)
    )
    return Steps(found, shown, np.searchsorted(step_column, np.arange(classes + 1)))


def _areas(steps: Steps, weights: Array) -> Array:
    """(r * n, B) weights to (c, B): precision summed over the right detections of each class."""
    right, counted = steps.right @ weights, steps.counted @ weights
    areas = np.zeros((len(steps.starts) - 1, weights.shape[1]))
    for area, start, end in zip(areas, steps.starts[:-1], steps.starts[1:], strict=True):
        found, shown = (np.cumsum(values[start:end], axis=0) for values in (right, counted))
        precision = np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
        envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
        area[:] = (right[start:end] * envelope).sum(axis=0)
    return areas
