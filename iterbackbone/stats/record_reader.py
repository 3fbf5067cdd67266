"""Reads an iteration log and says, by file and line, what of it cannot be used."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from .records import SCHEMA_VERSION, IterationRecord

SIGNED = ('img_id', 'mean_object_area', 'mean_relative_area')  # a box may be inverted
LARGEST = 1e300  # infinity (1e999 in JSON) and integers no float can hold lie beyond
REQUIRED = ('iterations', 'total_iterations', 'macs', 'macs_full')
_HINTS = get_type_hints(IterationRecord)


class Problem(NamedTuple):
    """What of a log could not be used or is not as it should be.

    Attributes:
        file: Its path.
        line: Counted from 1; 0 where it is the whole file.
        reason: What is wrong with it.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        where = f'{self.file}:{self.line}' if self.line else self.file
        return f'{where}: {self.reason}'


class Line(NamedTuple):
    """One readable record and the line it stands on, counted from 1."""

    number: int
    record: IterationRecord


def read_records(path: Path, num_stages: int | None = None) -> tuple[list[Line], list[Problem]]:
    """Read ``records.jsonl``.

    Args:
        path: The file.
        num_stages: Length of each record's ``iterations``; that of the first readable record
            if None.

    Returns:
        The readable records, and what is wrong with the other lines (a truncated last line,
        a value of another type than :class:`IterationRecord` says, NaN, another number of
        stages).
    """
    lines: list[Line] = []
    problems: list[Problem] = []
    for number, text in _numbered(path):
        try:
            record = parse_object(text)
            check_record(record)
            num_stages = len(record['iterations']) if num_stages is None else num_stages
            if len(record['iterations']) != num_stages:
                raise ValueError(
                    f'iterations must have {num_stages} items, one a stage, '
                    f'got {len(record["iterations"])}'
                )
        except (ValueError, RecursionError) as error:
            problems.append(Problem(str(path), number, str(error)))
        else:
            lines.append(Line(number, record))  # type: ignore[arg-type]
    return lines, problems


def missing_and_repeated(path: Path, meta: dict[str, Any], lines: list[Line]) -> list[Problem]:
    """Whether the readable lines are the data set's images, each once."""
    problems = []
    dataset = meta.get('dataset')
    expected = dataset.get('num_images') if isinstance(dataset, dict) else None
    if isinstance(expected, int) and expected != len(lines):
        reason = f'{len(lines)} lines can be used, the data set has {expected} images'
        problems.append(Problem(str(path), 0, reason))
    names = [(line.record.get('img_id'), line.record.get('img_path')) for line in lines]
    repeated = len(names) - len(set(names))
    if repeated and names[0] != (None, None):
        problems.append(Problem(str(path), 0, f'{repeated} lines repeat an image'))
    return problems


def parse_object(text: bytes) -> dict[str, Any]:
    """A JSON object without NaN and Infinity.

    Raises:
        ValueError: the text is something else.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ValueError(f'not UTF-8: {error}') from None
    except json.JSONDecodeError as error:
        raise ValueError(f'not JSON (a truncated line?): {error}') from None
    if not isinstance(value, dict):
        raise ValueError(f'a line must be a JSON object, got {_shown(value)}')
    return value


def check_record(record: dict[str, Any]) -> None:
    """Compare a record with :class:`IterationRecord`; fields it does not know are left alone.

    Raises:
        ValueError: a required field is absent, or a value has another type or is negative.
    """
    for name in REQUIRED:
        if record.get(name) is None:
            raise ValueError(f'{name} is missing')
    for name in _HINTS.keys() & record.keys():
        signed = name in SIGNED
        if not _conforms(record[name], _HINTS[name], signed):
            kind = _words(_HINTS[name]) + ('' if signed else ', not negative')
            raise ValueError(f'{name} must be {kind}, got {_shown(record[name])}')
    if abs(sum(record['iterations']) - record['total_iterations']) > 1e-6 * record['total_iterations']:
        raise ValueError(
            f'total_iterations must be the sum of iterations, got {record["total_iterations"]} '
            f'for {_shown(record["iterations"])}'
        )
    if record['macs'] > record['macs_full']:
        raise ValueError(
            f'macs must be at most macs_full ({record["macs_full"]}), got {record["macs"]}'
        )


def read_meta(path: Path) -> dict[str, Any]:
    """Read ``meta.json``.

    Raises:
        ValueError: it is missing, no JSON object, or of another schema version.
    """
    if not path.is_file():
        raise ValueError(f'{path.parent} is no complete evaluation: it has no {path.name}')
    try:
        meta = parse_object(path.read_bytes())
        _check_numbers(meta)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: {error}') from None
    if meta.get('schema_version') != SCHEMA_VERSION:
        raise ValueError(
            f'{path}: schema_version must be {SCHEMA_VERSION}, got '
            f'{_shown(meta.get("schema_version"))}: another version of iterbackbone wrote it'
        )
    return meta


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    with open(path, 'rb') as file:
        yield from ((n, line) for n, line in enumerate(file, start=1) if line.strip())


def _refuse(constant: str) -> None:
    raise ValueError(f'{constant} is no number JSON knows')


def _check_numbers(value: Any) -> None:
    """Raise ValueError for a number beyond what a float or MAC count needs, such as 1e999."""
    if isinstance(value, (int, float)) and not abs(value) < LARGEST:
        raise ValueError(f'{_shown(value)} is too large a number')
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        _check_numbers(part)


def _conforms(value: Any, hint: Any, signed: bool) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(_conforms(value, option, signed) for option in get_args(hint))
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_conforms(v, get_args(hint)[0], signed) for v in value)
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        return number and (-LARGEST if signed else 0) <= value < LARGEST
    return isinstance(value, hint)


def _words(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'
