"""Reads an iteration log and says, by file and line, what of it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .meta_schema import EvaluationMeta
from .parsing import Parser, shown
from .schema import META, MOST_BYTES, MOST_LINES, RECORDS, IterationRecord, identity

REQUIRED = ('iterations', 'total_iterations', 'macs', 'macs_full')

_record = Parser(IterationRecord, MOST_BYTES[RECORDS])
_meta = Parser(EvaluationMeta, MOST_BYTES[META])


class Problem(NamedTuple):
    """What of a log could not be used or is not as it should be."""

    file: str  # its path
    line: int  # counted from 1; 0 where it is the whole file
    reason: str

    def __str__(self) -> str:
        where = f'{self.file}:{self.line}' if self.line else self.file
        return f'{where}: {self.reason}'


class Line(NamedTuple):
    """One readable record and the line it stands on, counted from 1."""

    number: int
    record: IterationRecord


def read_records(
    path: Path, stage_limits: Sequence[float] | None = None
) -> tuple[list[Line], list[Problem]]:
    """Read ``records.jsonl``.

    Every record must have as many stages and blocks as the first readable one, and at most
    ``stage_limits`` iterations of each stage, where they are given.

    Returns:
        The readable records, and what is wrong with the other lines (a truncated last line,
        a value that :class:`IterationRecord` does not allow, NaN, another number of stages).

    Raises:
        ValueError: the folder has no such file, or it has more than ``MOST_LINES`` lines.
    """
    lines: list[Line] = []
    problems: list[Problem] = []
    lengths = {'iterations': len(stage_limits)} if stage_limits else {}
    for number, text in read_lines(path, MOST_BYTES[RECORDS]):
        if not text.strip():
            continue
        try:
            record = _record(text)
            _check_sums(record)
            found = _lengths(record, lengths)
            _check_limits(record['iterations'], stage_limits or ())
        except ValueError as error:
            problems.append(Problem(str(path), number, str(error)))
        else:
            lengths = found
            lines.append(Line(number, record))
    return lines, problems


def read_lines(path: Path, most_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Number from 1 and text of each line; ValueError as :func:`read_records`.

    Of a line longer than ``most_bytes`` the text is the beginning, one byte too long.
    """
    check_complete(path)
    with open(path, 'rb') as file:
        for number, text in enumerate(iter(lambda: file.readline(most_bytes + 1), b''), start=1):
            if number > MOST_LINES:
                raise ValueError(f'{path} must have at most {MOST_LINES} lines, it has more')
            yield number, text
            rest = text
            while rest and not rest.endswith(b'\n'):
                rest = file.readline(most_bytes)


def missing_and_repeated(path: Path, meta: EvaluationMeta, lines: list[Line]) -> list[Problem]:
    """Whether the readable lines are the data set's images, each once."""
    reasons = []
    expected = meta.get('dataset', {}).get('num_images')
    if expected is not None and expected != len(lines):
        reasons.append(f'{len(lines)} lines can be used, the data set has {expected} images')
    names = [identity(line.record) for line in lines]
    repeated = len(names) - len(set(names))
    if repeated and names[0] != (None, None):
        reasons.append(f'{repeated} lines repeat an image')
    return [Problem(str(path), 0, reason) for reason in reasons]


def read_meta(path: Path) -> EvaluationMeta:
    """Read ``meta.json``.

    Raises:
        ValueError: it is missing, of another schema version, or holds what
            :class:`~iterbackbone.log.meta_schema.EvaluationMeta` does not allow.
    """
    check_complete(path)
    try:
        with open(path, 'rb') as file:
            meta = _meta(file.read(MOST_BYTES[META] + 1))
        sizes, blocks = meta['blocks_per_stage'], len(meta['max_iterations'])
        if sum(sizes) != blocks:
            raise ValueError(
                f'blocks_per_stage must add up to the {blocks} items of max_iterations, '
                f'got {shown(sizes)}'
            )
    except ValueError as error:
        other = ': another version of iterbackbone wrote it' if 'schema_version' in str(error) else ''
        raise ValueError(f'{path}: {error}{other}') from None
    return meta


def check_complete(path: Path) -> None:
    """Raise ValueError unless this file of an evaluation is one: opening a pipe may wait for ever."""
    if not path.is_file():
        raise ValueError(f'{path.parent} is no complete evaluation: it has no {path.name}')


def _check_sums(record: IterationRecord) -> None:
    for name in REQUIRED:
        if record.get(name) is None:
            raise ValueError(f'{name} is missing')
    if abs(sum(record['iterations']) - record['total_iterations']) > 1e-6 * record['total_iterations']:
        raise ValueError(
            f'total_iterations must be the sum of iterations, got {record["total_iterations"]} '
            f'for {shown(record["iterations"])}'
        )
    if record['macs'] > record['macs_full']:
        raise ValueError(
            f'macs must be at most macs_full ({record["macs_full"]}), got {record["macs"]}'
        )


def _lengths(record: IterationRecord, known: dict[str, int]) -> dict[str, int]:
    """The lengths of lists known so far, and those of this record; ValueError where they differ."""
    blocks = record.get('iterations_per_block')
    lists = {'iterations': record['iterations'], 'iterations_per_block': blocks}
    found = {name: len(each) for name, each in lists.items() if each}
    for name, length in found.items():
        if length != known.get(name, length):
            raise ValueError(f'{name} must have {known[name]} items, got {length}')
    return {**known, **found}


def _check_limits(iterations: Sequence[float], stage_limits: Sequence[float]) -> None:
    for stage, (count, most) in enumerate(zip(iterations, stage_limits, strict=False)):
        if count > most * (1 + 1e-6):  # means over several calls are rounded
            raise ValueError(f'iterations of stage {stage} must be at most {most}, got {count:g}')
