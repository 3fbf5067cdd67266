"""What a data set's score is made of, from the logs of several evaluations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..stats.average_precision import COCO_THRESHOLDS, AveragePrecision
from ..stats.detection_error import IOU_THRESHOLD, Boxes
from ..stats.gain import Progress
from ..stats.run_scores import Index, MeanIoU, MeanScores, RunScores
from ..stats.segmentation_score import class_overlaps
from .aligned_runs import AlignedRuns
from .evaluation import Evaluation
from .pictures import IGNORED, map_paths, read_labels

TASK_SCORES = {'classification': 'top1', 'segmentation': 'mean_iou', 'detection': 'ap50'}
SHARES = {'top1': 'correct', 'miou': 'miou', 'pixel_accuracy': 'pixel_accuracy'}  # 0 to 1 in the log
THRESHOLDS = {'ap50': (IOU_THRESHOLD,), 'map': COCO_THRESHOLDS}
SAME = 1.0  # pixels that true boxes may differ by: they are rounded, and back from the network's image
NOTHING = Boxes(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0))


def default_score(evaluation: Evaluation) -> str:
    """The score of the evaluation's task; ValueError where it has none."""
    task = evaluation.meta.get('task')
    if task not in TASK_SCORES:
        raise ValueError(f'score must be named: {evaluation.folder} is of the task {task!r}')
    return TASK_SCORES[task]


def unit_of(score: str) -> str:
    """What differences of a score are called."""
    return 'points' if score in {'mean_iou', *SHARES, *THRESHOLDS} else f'of {score}'


def outcomes(runs: AlignedRuns, score: str, progress: Progress = iter) -> tuple[RunScores, Index]:
    """Outcomes of r runs, and which of the n images they are of: those where no run lacks the value.

    The score is 'top1', 'ap50', 'map' (of IoU 0.5 to 0.95) or 'mean_iou' of the data set, 'miou' or
    'pixel_accuracy' as means over images, or any numeric field of the records of which more is better.
    ``progress`` wraps the images that are read, such as tqdm.

    Raises:
        ValueError: the logs have no such score, or their annotations differ.
    """
    images = np.arange(runs.rows.shape[1])
    if score in THRESHOLDS:
        return _average_precision(runs, THRESHOLDS[score], progress), images
    if score == 'mean_iou':
        return _mean_iou(runs, progress), images
    try:
        values = runs.column(SHARES.get(score, score)) * (100 if score in SHARES else 1)
    except (TypeError, ValueError):
        raise ValueError(f'score must be a numeric field of the records, got {score!r}') from None
    runs.check_annotated_fields()
    known = np.flatnonzero(np.isfinite(values).all(axis=0))
    if not len(known):
        folders = ', '.join(str(evaluation.folder) for evaluation in runs.evaluations)
        raise ValueError(f'score: no image has {score!r} in all of {folders}')
    return MeanScores(values[:, known]), known


def _average_precision(
    runs: AlignedRuns, thresholds: Sequence[float], progress: Progress
) -> AveragePrecision:
    found = [_boxes(runs.evaluations[run], i) for run, i in progress(runs.images())]
    n = runs.rows.shape[1]
    runs.check_annotations(_same_boxes(found[k % n], boxes) for k, boxes in enumerate(found))
    predicted = [[boxes['predicted'] for boxes in found[k : k + n]] for k in range(0, len(found), n)]
    true, difficult = ([boxes.get(kind) for boxes in found[:n]] for kind in ('true', 'difficult'))
    crowds = runs.evaluations[0].predictions.crowds
    return AveragePrecision.of_boxes(predicted, true, difficult, thresholds, crowds)


def _boxes(evaluation: Evaluation, i: int) -> dict[str, Boxes]:
    boxes = evaluation.predictions.boxes(i)
    if not {'predicted', 'true'} <= boxes.keys():
        raise ValueError(f'{_image(evaluation, i)} has no predicted and true boxes')
    return boxes


def _same_boxes(one: dict[str, Boxes], other: dict[str, Boxes]) -> bool:
    """Whether two lines have the same true and difficult boxes, in the same order."""
    pairs = [(one.get(kind, NOTHING), other.get(kind, NOTHING)) for kind in ('true', 'difficult')]
    return all(
        np.array_equal(a.labels, b.labels) and not (np.abs(a.boxes - b.boxes) > SAME).any()
        for a, b in pairs
    )


def _mean_iou(runs: AlignedRuns, progress: Progress) -> MeanIoU:
    found = [_overlaps(runs.evaluations[run], i) for run, i in progress(runs.images())]
    n = runs.rows.shape[1]
    runs.check_annotations(true == found[k % n][1] for k, (_, true) in enumerate(found))
    shared, union = np.stack([overlaps for overlaps, _ in found], axis=1)
    return MeanIoU(shared.reshape(*runs.rows.shape, -1), union.reshape(*runs.rows.shape, -1))


def _overlaps(evaluation: Evaluation, i: int) -> tuple[NDArray[np.int64], bytes]:
    """Of an image's label maps, and what tells its true one from others."""
    maps = {kind: read_labels(path) for kind, path in map_paths(evaluation, i).items()}
    predicted, true = maps.get('predicted'), maps.get('true')
    if predicted is None or true is None:
        raise ValueError(f'{_image(evaluation, i)} has no predicted and true label map')
    try:
        overlaps = class_overlaps(predicted, true, len(evaluation.meta['classes']), IGNORED)
    except ValueError as error:
        raise ValueError(f'{_image(evaluation, i)}: {error}') from None
    return overlaps, hashlib.sha256(true.tobytes()).digest()


def _image(evaluation: Evaluation, i: int) -> str:
    return f'{evaluation.folder}: image {evaluation.records[i].get("img_id")!r}'
