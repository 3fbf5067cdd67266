"""One evaluation's log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..log.meta_schema import EvaluationMeta
from ..log.parsing import Parser, shown
from ..log.reader import Line, Problem, missing_and_repeated, read_lines, read_meta, read_records
from ..log.schema import (
    META,
    MOST_BYTES,
    PREDICTIONS,
    RECORDS,
    IterationRecord,
    PredictionLine,
    identity,
)
from ..stats.detection_error import Boxes, image_ap50
from ..stats.run_scores import Index

Column = NDArray[np.float64]
NO_LINE = b'{}', np.nan  # of an image without a usable line
_parse = Parser(PredictionLine, MOST_BYTES[PREDICTIONS])


@dataclass(frozen=True)
class Evaluation:
    """The readable part of one evaluation's folder."""

    folder: Path  # where it was read from
    name: str  # in figures and tables
    meta: EvaluationMeta  # ``meta.json``
    stage_limits: list[int]  # most iterations of each stage, summed over its blocks
    records: list[IterationRecord]  # readable lines of ``records.jsonl``
    lines: list[bytes]  # their lines of ``predictions.jsonl``
    box_errors: Column  # (n,) 1 - AP50 of each record's image; NaN where it has none
    crowds: bool  # whether difficult boxes are COCO's crowds
    problems: list[Problem]  # lines that could not be used

    def take(self, places: Sequence[int] | Index) -> Evaluation:
        """Some of its records, in this order."""
        records, lines = ([found[i] for i in places] for found in (self.records, self.lines))
        return replace(self, records=records, lines=lines, box_errors=self.box_errors[places])

    def line(self, i: int) -> PredictionLine:
        """What the log says of a record's predictions; empty where it has no usable line."""
        return _parse(self.lines[i])

    def boxes(self, i: int) -> dict[str, Boxes]:
        """``predicted``, ``true`` and ``difficult`` boxes of a record, as far as there are any."""
        return _boxes(self.line(i))

    def column(self, field: str) -> Column:
        """A numeric field of all records, or one of their ``scores``, (n,); NaN where it is absent."""
        values = [r.get(field, r.get('scores', {}).get(field)) for r in self.records]
        if not all(v is None or isinstance(v, (int, float)) for v in values):
            raise TypeError(f'{field} is no numeric field')
        return np.array(values, dtype=np.float64)  # None becomes NaN

    @cached_property
    def iterations(self) -> Column:
        """Iterations of each image in each stage, (n, stages)."""
        return np.array([record['iterations'] for record in self.records], dtype=np.float64)

    @cached_property
    def errors(self) -> Column:
        """The task's error of each image, (n,); NaN where it has none."""
        task = self.meta.get('task')
        if task == 'classification':
            return 1 - self.column('correct')
        return 1 - self.column('miou') if task == 'segmentation' else self.box_errors

    @cached_property
    def ranking(self) -> list[int]:
        """Records from easiest to hardest: by iterations, then by ponder cost."""
        return np.lexsort((self.column('ponder_cost'), self.column('total_iterations'))).tolist()

    def class_name(self, label: int) -> str:
        """The class's name; the label itself where it has none."""
        classes = self.meta['classes']
        return classes[label] if 0 <= label < len(classes) else str(label)

    def outcome(self, i: int) -> str | None:
        """Such as ``true cat, predicted dog 0.87``; None of an image that was not classified."""
        record = self.records[i]
        label, prediction = record.get('label'), record.get('prediction')
        if prediction is None:
            return None
        true = '' if label is None else f'true {self.class_name(label)}, '
        confidence = record.get('confidence')
        score = '' if confidence is None else f' {confidence:.2f}'
        return f'{true}predicted {self.class_name(prediction)}{score}'


def load_evaluation(folder: Path, name: str | None = None, read_predictions: bool = True) -> Evaluation:
    """Read the folder that IterationLogHook wrote; its name is by default the config's and its own.

    Raises:
        ValueError: the folder is no complete evaluation, or no line of it can be used.
    """
    meta = read_meta(folder / META)
    blocks = iter(meta['max_iterations'])
    limits = [sum(islice(blocks, n)) for n in meta['blocks_per_stage']]
    lines, problems = read_records(folder / RECORDS, limits)
    if not lines:
        reason = f'; the first problem: {problems[0]}' if problems else ': it is empty'
        raise ValueError(f'{folder / RECORDS} has no line that can be used{reason}')
    dataset = meta.get('dataset', {})
    crowds = dataset.get('crowds', 'Coco' in dataset.get('type', ''))  # of older logs its class tells
    found, unread = {}, []
    if read_predictions:
        found, unread = _read_predictions(folder / PREDICTIONS, lines, crowds)
    texts, errors = zip(*(found.get(i, NO_LINE) for i in range(len(lines))), strict=True)
    name = name or brief(f'{Path(meta.get("config") or "").stem} {folder.name}', 80)
    records = [line.record for line in lines]
    problems += [*missing_and_repeated(folder / RECORDS, meta, lines), *unread]
    return Evaluation(folder, name, meta, limits, records, [*texts], np.array(errors), crowds, problems)


def _read_predictions(
    path: Path, records: Sequence[Line], crowds: bool
) -> tuple[dict[int, tuple[bytes, float]], list[Problem]]:
    """Line and error of each record that has a usable line, and what cannot be used.

    One image's lines have the same number in both files; ``img_id`` and ``img_path`` are
    compared, so that no image is shown with another's boxes.
    """
    if not path.is_file():
        return {}, [Problem(str(path), 0, 'the file is missing')]
    found, problems, last = {}, [], 0
    places = {line.number: i for i, line in enumerate(records)}
    for last, text in read_lines(path, MOST_BYTES[PREDICTIONS]):
        if last in places:
            try:
                found[places[last]] = text, _error(text, records[places[last]].record, crowds)
            except ValueError as error:
                problems.append(Problem(str(path), last, str(error)))
    if lost := sum(number > last for number in places):
        problems.append(Problem(str(path), 0, f'{lost} images have no line'))
    return found, problems


def _error(text: bytes, record: IterationRecord, crowds: bool) -> float:
    """1 - AP50 of a record's line, NaN without boxes; ValueError where it cannot be used."""
    line = _parse(text)
    if identity(line) != identity(record):
        raise ValueError(
            f'the line is of image {shown(line.get("img_id"))}, '
            f'that of the records of {shown(record.get("img_id"))}'
        )
    boxes = _boxes(line)
    if not {'predicted', 'true'} <= boxes.keys():
        return np.nan
    precision = image_ap50(boxes['predicted'], boxes['true'], boxes.get('difficult'), crowds)
    return np.nan if precision is None else 1 - precision


def _boxes(line: PredictionLine) -> dict[str, Boxes]:
    names = ('predicted', 'true', 'difficult')
    return {name: Boxes.parse(name, line[name]) for name in names if name in line}


def load_evaluations(folders: list[Path], names: list[str] | None = None) -> list[Evaluation]:
    """Read several folders and give each a name of its own.

    Raises:
        ValueError: as :func:`load_evaluation`, or ``names`` are not as many as ``folders``.
    """
    if names and len(names) != len(folders):
        raise ValueError(f'names must be {len(folders)}, one a folder, got {len(names)}: {names}')
    found = [load_evaluation(f, names[i] if names else None) for i, f in enumerate(folders)]
    names = [evaluation.name for evaluation in found]
    return [
        replace(e, name=f'{e.name} ({i + 1})') if e.name in names[:i] else e
        for i, e in enumerate(found)
    ]


def brief(text: str, most: int) -> str:
    """The text in one line, its middle left out where it is longer than ``most`` characters."""
    line = ' '.join(text.split())
    half = (most - 1) // 2
    return line if len(line) <= most else f'{line[:half]}…{line[-half:]}'
