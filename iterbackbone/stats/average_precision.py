"""A data set's mean average precision of several runs, and of what is put together from them.

Shape legend: r runs, n images, c classes, t thresholds, d detections of a class, B weightings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .detection_error import IOU_THRESHOLD, RIGHT, WRONG, Boxes, match
from .run_scores import Array, Index, RunScores

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
AT_ONCE = 2**21  # weights of detections

Weigh = Callable[[slice, 'Detections'], Array]  # of some of the B weightings, to (b, d)


class Detections(NamedTuple):
    """Those of one class that count at some threshold, by falling score.

    Attributes:
        run: (d,) by which run.
        image: (d,) in which image.
        score: (d,).
        outcome: (t, d) of ``RIGHT``, ``WRONG`` and ``IGNORED``.
    """

    run: Index
    image: Index
    score: Array
    outcome: NDArray[np.int8]


class AveragePrecision(RunScores):
    """Mean over classes and IoU thresholds of the area under the precision-recall curve, in points.

    Detections are matched by :func:`~iterbackbone.stats.detection_error.match`, the rule of PASCAL
    VOC; those of one score enter the curve together, so that the order of images is of no account.
    Classes without an object to find have no term.

    Args:
        classes: The detections of each class.
        objects: (n, c) objects to find.
        num_runs: r.
    """

    def __init__(self, classes: Sequence[Detections], objects: Array, num_runs: int) -> None:
        self.classes, self.objects = list(classes), objects
        self.num_runs, self.num_images = num_runs, len(objects)

    @classmethod
    def of_boxes(
        cls,
        predicted: Sequence[Sequence[Boxes]],
        true: Sequence[Boxes],
        difficult: Sequence[Boxes | None] | None = None,
        thresholds: Sequence[float] = (IOU_THRESHOLD,),
    ) -> AveragePrecision:
        """Match the detections of r runs on n images.

        Args:
            predicted: Of each run the boxes of each image.
            true: The objects of each image.
            difficult: Objects of each image that are neither to be found nor wrong to find.
            thresholds: Least intersection over union of a detection with its object.

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
        found = [
            (r, i, boxes, match(boxes, true[i], difficult[i] if difficult else None, thresholds))
            for r, run in enumerate(predicted)
            for i, boxes in enumerate(run)
        ]
        sizes = [len(boxes.labels) for _, _, boxes, _ in found]
        label = np.concatenate([boxes.labels for _, _, boxes, _ in found])
        score = np.concatenate([boxes.scores for _, _, boxes, _ in found])
        run, image = (np.repeat([entry[k] for entry in found], sizes) for k in (0, 1))
        outcome = np.concatenate([outcomes for *_, outcomes in found], axis=1)
        order = np.argsort(-score, kind='stable')
        by_class = [order[label[order] == value] for value in labels]
        classes = [Detections(run[k], image[k], score[k], outcome[:, k]) for k in by_class]
        objects = np.array(
            [(boxes.labels[:, None] == labels).sum(axis=0) for boxes in true], dtype=float
        )
        return cls(classes, objects, len(predicted))

    def mixed(self, shares: Array, counts: Array) -> Array:
        """See :meth:`RunScores.mixed`."""
        return self._score(counts @ self.objects, lambda b, d: shares[b, d.run] * counts[b, d.image])

    def chosen(self, choice: Index) -> Array:
        """See :meth:`RunScores.chosen`."""
        objects = np.broadcast_to(self.objects.sum(axis=0), (len(choice), self.objects.shape[1]))
        return self._score(objects, lambda b, d: (choice[b][:, d.image] == d.run).astype(np.float64))

    def take(self, runs: Sequence[int] | Index, images: ArrayLike) -> AveragePrecision:
        """See :meth:`RunScores.take`."""
        new_run = np.full(self.num_runs, -1)
        new_image = np.full(self.num_images, -1)
        new_run[np.array(runs, dtype=int)] = np.arange(len(runs))
        images = np.asarray(images)
        new_image[images] = np.arange(len(images))
        classes = []
        for run, image, score, outcome in self.classes:
            kept = (new_run[run] >= 0) & (new_image[image] >= 0)
            places = new_run[run[kept]], new_image[image[kept]]
            classes.append(Detections(*places, score[kept], outcome[:, kept]))
        return AveragePrecision(classes, self.objects[images], len(runs))

    def _score(self, objects: Array, weigh: Weigh) -> Array:
        """(B, c) objects and the weights of detections to (B,)."""
        areas = np.zeros(objects.shape)
        for column, detections in enumerate(self.classes):
            size = max(1, AT_ONCE // max(len(detections.run), 1))
            for start in range(0, len(objects), size):
                part = slice(start, start + size)
                areas[part, column] = _area(weigh(part, detections), detections)
        shown = objects > 0
        recalls = np.divide(areas, objects, out=np.zeros_like(areas), where=shown)
        return 100 * recalls.sum(axis=1) / np.maximum(shown.sum(axis=1), 1)


def _area(weights: Array, detections: Detections) -> Array:
    """(b, d) weights to (b,): mean over thresholds of precision summed over right detections."""
    score, outcomes = detections.score, detections.outcome
    last = np.append(score[1:] != score[:-1], True)[: len(score)]  # of those of its score
    areas = np.zeros(len(weights))
    for outcome in outcomes:
        right = weights * (outcome == RIGHT)
        found = np.cumsum(right, axis=1)
        counted = found + np.cumsum(weights * (outcome == WRONG), axis=1)
        precision = np.divide(found, counted, out=np.zeros_like(found), where=last & (counted > 0))
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        areas += (right * envelope).sum(axis=1)
    return areas / len(outcomes)
