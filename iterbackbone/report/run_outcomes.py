"""What a data set's score is made of, from the logs of several evaluations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..stats.average_precision import COCO_THRESHOLDS, AveragePrecision
from ..stats.detection_error import IOU_THRESHOLD, Boxes
from ..stats.gain import Progress
from ..stats.run_scores import Index, MeanIoU, MeanScores, RunScores
from ..stats.segmentation_score import class_overlaps
from .aligned_runs import column
from .evaluation import Evaluation
from .pictures import IGNORED, map_paths, read_labels

TASK_SCORES = {'classification': 'top1', 'segmentation': 'mean_iou', 'detection': 'ap50'}
SHARES = {'top1': 'correct', 'miou': 'miou', 'pixel_accuracy': 'pixel_accuracy'}  # 0 to 1 in the log
THRESHOLDS = {'ap50': (IOU_THRESHOLD,), 'map': COCO_THRESHOLDS}
SAME = 1.0  # pixels that true boxes may differ by: they are rounded, and back from the network's image
ANNOTATED_BOXES = ('true', 'difficult')
ANNOTATED = ('label', 'num_objects', 'num_classes')  # fields of a record that annotations tell
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


def outcomes(
    runs: Sequence[Evaluation], score: str, progress: Progress = iter
) -> tuple[RunScores, Index]:
    """Outcomes of r runs, and which of the n images they are of: those where no run lacks the value.

    The score is 'top1', 'ap50', 'map' (of IoU 0.5 to 0.95) or 'mean_iou' of the data set, 'miou' or
    'pixel_accuracy' as means over images, or any numeric field of the records of which more is better.
    The runs are as :func:`.aligned_runs.aligned` gives them; ``progress`` wraps the images that are
    read of each, such as tqdm.

    Raises:
        ValueError: the logs have no such score, or their annotations differ.
    """
    images = np.arange(len(runs[0].records))
    if score in THRESHOLDS:
        return _average_precision(runs, THRESHOLDS[score], progress), images
    if score == 'mean_iou':
        return _mean_iou(runs, progress), images
    try:
        values = column(runs, SHARES.get(score, score)) * (100 if score in SHARES else 1)
    except (TypeError, ValueError):
        raise ValueError(f'score must be a numeric field of the records, got {score!r}') from None
    for field in ANNOTATED:
        told = column(runs, field)
        _check_annotations(runs, np.isnan(told) | np.isnan(told[0]) | (told == told[0]))
    known = np.flatnonzero(np.isfinite(values).all(axis=0))
    if not len(known):
        folders = ', '.join(str(run.folder) for run in runs)
        raise ValueError(f'score: no image has {score!r} in all of {folders}')
    return MeanScores(values[:, known]), known


def _check_annotations(runs: Sequence[Evaluation], same: ArrayLike) -> None:
    """Raise ValueError unless ``same``, (r, n), says of all images that they are the first run's."""
    differing = np.argwhere(~np.asarray(same))
    if len(differing):
        run, i = differing[0]
        raise ValueError(
            f'{runs[run].folder} and {runs[0].folder} must have the same annotations, but those '
            f'of image {runs[run].records[i].get("img_id")!r} differ'
        )


def _average_precision(
    runs: Sequence[Evaluation], thresholds: Sequence[float], progress: Progress
) -> AveragePrecision:
    found = [[_boxes(run, i) for i in progress(range(len(run.records)))] for run in runs]
    _check_annotations(runs, [list(map(_same_boxes, found[0], each)) for each in found])
    predicted = [[boxes['predicted'] for boxes in each] for each in found]
    true, difficult = ([boxes[kind] for boxes in found[0]] for kind in ANNOTATED_BOXES)
    return AveragePrecision.of_boxes(predicted, true, difficult, thresholds, runs[0].crowds)


def _boxes(evaluation: Evaluation, i: int) -> dict[str, Boxes]:
    boxes = evaluation.boxes(i)
    if not {'predicted', 'true'} <= boxes.keys():
        raise ValueError(f'{_image(evaluation, i)} has no predicted and true boxes')
    return {'difficult': NOTHING, **boxes}


def _same_boxes(one: dict[str, Boxes], other: dict[str, Boxes]) -> bool:
    """Whether two lines have the same true and difficult boxes, in the same order."""
    pairs = [(one[kind], other[kind]) for kind in ANNOTATED_BOXES]
    return all(
        np.array_equal(a.labels, b.labels) and not (np.abs(a.boxes - b.boxes) > SAME).any()
        for a, b in pairs
    )


def _mean_iou(runs: Sequence[Evaluation], progress: Progress) -> MeanIoU:
    found = [[_overlaps(run, i) for i in progress(range(len(run.records)))] for run in runs]
    true = np.array([[digest for _, digest in each] for each in found])
    _check_annotations(runs, true == true[0])
    pixels = np.array([[overlaps for overlaps, _ in each] for each in found])  # (r, n, 2, c)
    return MeanIoU(*np.moveaxis(pixels, 2, 0))


def _overlaps(evaluation: Evaluation, i: int) -> tuple[NDArray[np.int64], str]:
    """Of an image's label maps, and what tells its true one from others."""
    maps = {kind: read_labels(path) for kind, path in map_paths(evaluation, i).items()}
    predicted, true = maps.get('predicted'), maps.get('true')
    if predicted is None or true is None:
        raise ValueError(f'{_image(evaluation, i)} has no predicted and true label map')
    try:
        overlaps = class_overlaps(predicted, true, len(evaluation.meta['classes']), IGNORED)
    except ValueError as error:
        raise ValueError(f'{_image(evaluation, i)}: {error}') from None
    return overlaps, hashlib.sha256(true.tobytes()).hexdigest()


def _image(evaluation: Evaluation, i: int) -> str:
    return f'{evaluation.folder}: image {evaluation.records[i].get("img_id")!r}'
