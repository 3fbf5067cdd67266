"""Reads an iteration log and says, by file and line, what of it cannot be used."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from .records import SCHEMA_VERSION, IterationRecord

REQUIRED = ('iterations', 'total_iterations', 'macs', 'macs_full')
_HINTS = get_type_hints(IterationRecord)


class Problem(NamedTuple):
    """A line that was left out.

    Attributes:
        file: Its path.
        line: Counted from 1.
        reason: What is wrong with it.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f'{self.file}:{self.line}: {self.reason}'


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


def parse_object(text: bytes) -> dict[str, Any]:
    """A JSON object with finite numbers.

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
        if not _conforms(record[name], _HINTS[name]):
            raise ValueError(
                f'{name} must be {_words(_HINTS[name])}, not negative, got {_shown(record[name])}'
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


def _conforms(value: Any, hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(_conforms(value, option) for option in get_args(hint))
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_conforms(v, get_args(hint)[0]) for v in value)
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        # The bound keeps out infinity (1e999) and integers no float can hold.
        return isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < 2**63
    return isinstance(value, hint)


def _words(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'
