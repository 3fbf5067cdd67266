"""One evaluation's log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..log.meta_schema import EvaluationMeta
from ..log.parsing import Parser, shown
from ..log.reader import (
    Line,
    Problem,
    has_crowds,
    missing_and_repeated,
    read_lines,
    read_meta,
    read_records,
    stage_limits_of,
)
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
_parse = Parser(PredictionLine, MOST_BYTES[PREDICTIONS])


@dataclass
class Predictions:
    """What the log says of each record's predictions."""

    path: Path
    crowds: bool  # whether difficult boxes are COCO's crowds
    errors: Column  # (n,) 1 - AP50 of each record's image; NaN where it has none
    texts: dict[int, bytes]  # of the line of each record that has a usable one
    problems: list[Problem]  # lines that could not be used

    @classmethod
    def read(cls, path: Path, records: Sequence[Line], crowds: bool) -> Predictions:
        """Read the lines that stand where the ``records`` stood in their file.

        One image's lines have the same number in both files; ``img_id`` and ``img_path`` are
        compared, so that no image is shown with another's boxes.
        """
        predictions = cls(path, crowds, np.full(len(records), np.nan), {}, [])
        wanted = {line.number: i for i, line in enumerate(records)}
        if wanted and not path.is_file():
            predictions.problems.append(Problem(str(path), 0, 'the file is missing'))
            return predictions
        last = 0
        for last, text in read_lines(path, MOST_BYTES[PREDICTIONS]) if wanted else ():
            if last in wanted:
                predictions._add(wanted[last], records[wanted[last]], text)
        lost = sum(number > last for number in wanted)
        if lost:
            predictions.problems.append(Problem(str(path), 0, f'{lost} images have no line'))
        return predictions

    def _add(self, i: int, expected: Line, text: bytes) -> None:
        try:
            line = _parse(text)
            if identity(line) != identity(expected.record):
                raise ValueError(
                    f'the line is of image {shown(line.get("img_id"))}, '
                    f'that of the records of {shown(expected.record.get("img_id"))}'
                )
            boxes = _boxes(line)
            if {'predicted', 'true'} <= boxes.keys():
                predicted, true, difficult = map(boxes.get, ('predicted', 'true', 'difficult'))
                precision = image_ap50(predicted, true, difficult, self.crowds)
                self.errors[i] = np.nan if precision is None else 1 - precision
            self.texts[i] = text
        except ValueError as error:
            self.problems.append(Problem(str(self.path), expected.number, str(error)))

    def take(self, places: Sequence[int] | Index) -> Predictions:
        """As :meth:`Evaluation.take`."""
        texts = {new: self.texts[old] for new, old in enumerate(places) if old in self.texts}
        return replace(self, errors=self.errors[places], texts=texts)

    def line(self, i: int) -> PredictionLine:
        """The line of a record; empty where there is no usable one."""
        return _parse(self.texts[i]) if i in self.texts else {}

    def boxes(self, i: int) -> dict[str, Boxes]:
        """``predicted``, ``true`` and ``difficult`` boxes of a record, as far as there are any."""
        return _boxes(self.line(i))


def _boxes(line: PredictionLine) -> dict[str, Boxes]:
    names = ('predicted', 'true', 'difficult')
    return {name: Boxes.parse(name, line[name]) for name in names if name in line}


@dataclass(frozen=True)
class Evaluation:
    """The readable part of one evaluation's folder."""

    folder: Path  # where it was read from
    name: str  # in figures and tables
    meta: EvaluationMeta  # ``meta.json``
    records: list[IterationRecord]  # readable lines of ``records.jsonl``
    predictions: Predictions  # their lines of ``predictions.jsonl``
    problems: list[Problem]  # lines that could not be used

    def take(self, places: Sequence[int] | Index) -> Evaluation:
        """Some of its records, in this order."""
        records = [self.records[i] for i in places]
        return replace(self, records=records, predictions=self.predictions.take(places))

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

    @property
    def stage_limits(self) -> list[int]:
        """Highest number of iterations of each stage, summed over its blocks."""
        return stage_limits_of(self.meta)

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
    lines, problems = read_records(folder / RECORDS, stage_limits_of(meta))
    if not lines:
        reason = f'; the first problem: {problems[0]}' if problems else ': it is empty'
        raise ValueError(f'{folder / RECORDS} has no line that can be used{reason}')
    wanted = lines if read_predictions else []
    predictions = Predictions.read(folder / PREDICTIONS, wanted, has_crowds(meta))
    name = name or brief(f'{Path(meta.get("config") or "").stem} {folder.name}', 80)
    records = [line.record for line in lines]
    problems += [*missing_and_repeated(folder / RECORDS, meta, lines), *predictions.problems]
    return Evaluation(folder, name, meta, records, predictions, problems)


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
