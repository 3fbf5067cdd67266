"""``predictions.jsonl``: each image's error, and its boxes again where a picture needs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..log.parsing import Parser, shown
from ..log.reader import Line, Problem, read_lines
from ..log.schema import MOST_BYTES, PREDICTIONS, PredictionLine, identity
from ..stats.detection_error import Boxes, image_ap50

_parse = Parser(PredictionLine, MOST_BYTES[PREDICTIONS])


@dataclass
class Predictions:
    """What the log says of each record's predictions; the boxes themselves stay on disk."""

    path: Path
    offsets: dict[int, int]  # in bytes, of the line of each record that has a usable one
    errors: NDArray[np.float64]  # (n,) 1 - AP50 of each record's image; NaN where it has none
    problems: list[Problem]  # lines that could not be used
    crowds: bool  # whether difficult boxes are COCO's crowds

    @classmethod
    def read(cls, path: Path, records: list[Line], crowds: bool = False) -> Predictions:
        """Read the lines that stand where the ``records`` stood in their file.

        One image's lines have the same number in both files; ``img_id`` and ``img_path`` are
        compared, so that no image is shown with another's boxes.
        """
        predictions = cls(path, {}, np.full(len(records), np.nan), [], crowds)
        wanted = {line.number: i for i, line in enumerate(records)}
        if not wanted:
            return predictions
        if not path.is_file():
            predictions.problems.append(Problem(str(path), 0, 'the file is missing'))
            return predictions
        last = 0
        for last, offset, text in read_lines(path, MOST_BYTES[PREDICTIONS]):
            if last in wanted:
                predictions._add(wanted[last], records[wanted[last]], text, offset)
        lost = sum(number > last for number in wanted)
        if lost:
            predictions.problems.append(Problem(str(path), 0, f'{lost} images have no line'))
        return predictions

    def _add(self, i: int, expected: Line, text: bytes, offset: int) -> None:
        try:
            line = _parse(text)
            if identity(line) != identity(expected.record):
                raise ValueError(
                    f'the line is of image {shown(line.get("img_id"))}, '
                    f'that of the records of {shown(expected.record.get("img_id"))}'
                )
            self.errors[i] = _error(line, self.crowds)
            self.offsets[i] = offset
        except ValueError as error:
            self.problems.append(Problem(str(self.path), expected.number, str(error)))

    def line(self, i: int) -> PredictionLine:
        """The line of a record; empty where there is no usable one."""
        if i not in self.offsets:
            return {}
        with open(self.path, 'rb') as file:
            file.seek(self.offsets[i])
            return _parse(file.readline(MOST_BYTES[PREDICTIONS] + 1))

    def boxes(self, i: int) -> dict[str, Boxes]:
        """``predicted``, ``true`` and ``difficult`` boxes of a record, as far as there are any."""
        return _boxes(self.line(i))


def _boxes(line: PredictionLine) -> dict[str, Boxes]:
    names = ('predicted', 'true', 'difficult')
    return {name: Boxes.parse(name, line[name]) for name in names if name in line}


def _error(line: PredictionLine, crowds: bool) -> float:
    boxes = _boxes(line)
    if 'predicted' not in boxes or 'true' not in boxes:
        return np.nan
    precision = image_ap50(boxes['predicted'], boxes['true'], boxes.get('difficult'), crowds)
    return np.nan if precision is None else 1 - precision
