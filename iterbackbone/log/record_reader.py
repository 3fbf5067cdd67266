"""Reads an iteration log and says, by file and line, what of it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from . import limits
from .limits import check_anything, check_field, shown
from .records import READABLE_VERSIONS, IterationRecord, ModuleRecord

REQUIRED = ('iterations', 'total_iterations', 'macs', 'macs_full')
_MODULE_HINTS = get_type_hints(ModuleRecord, include_extras=True)
_HINTS = get_type_hints(IterationRecord, include_extras=True)


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


class Text(NamedTuple):
    """One line of a file: its number from 1, its first byte's offset, what it holds."""

    number: int
    offset: int
    text: bytes


def read_records(
    path: Path, stage_limits: Sequence[float] | None = None
) -> tuple[list[Line], list[Problem]]:
    """Read ``records.jsonl``.

    Args:
        path: The file.
        stage_limits: Most iterations of each stage. If None every record must have as many
            stages as the first readable one.

    Returns:
        The readable records, and what is wrong with the other lines (a truncated last line,
        a value that :class:`IterationRecord` does not allow, NaN, another number of stages).

    Raises:
        ValueError: it is no regular file, or has more than ``limits.RECORDS`` lines.
    """
    lines: list[Line] = []
    problems: list[Problem] = []
    for number, _, text in read_lines(path, limits.RECORD_BYTES):
        if not text.strip():
            continue
        try:
            record = parse_object(text, limits.RECORD_BYTES)
            check_record(record)
            if stage_limits is None:
                stage_limits = [float('inf')] * len(record['iterations'])
            _check_stages(record['iterations'], stage_limits)
        except ValueError as error:
            problems.append(Problem(str(path), number, str(error)))
        else:
            lines.append(Line(number, record))  # type: ignore[arg-type]
    return lines, problems


def read_lines(path: Path, most_bytes: int) -> Iterator[Text]:
    """Lines of a file; of one longer than ``most_bytes`` the beginning, one byte too long.

    Raises:
        ValueError: it is no regular file (opening a pipe may wait for ever), or has more than
            ``limits.RECORDS`` lines.
    """
    if not path.is_file():
        raise ValueError(f'{path} is no regular file')
    offset = 0
    with open(path, 'rb') as file:
        for number in range(1, limits.RECORDS + 2):
            text = file.readline(most_bytes + 1)
            if not text:
                return
            if number > limits.RECORDS:
                raise ValueError(f'{path} must have at most {limits.RECORDS} lines, it has more')
            yield Text(number, offset, text)
            rest = text
            while rest and not rest.endswith(b'\n'):
                rest = file.readline(most_bytes)
            offset = file.tell()


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


def parse_object(text: bytes, most_bytes: int) -> dict[str, Any]:
    """A JSON object without NaN and Infinity.

    Raises:
        ValueError: the text is something else, or longer than ``most_bytes``.
    """
    if len(text) > most_bytes:
        raise ValueError(f'a JSON object must have at most {most_bytes} bytes, this one has more')
    try:
        value = json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except RecursionError:
        raise ValueError(f'nested deeper than {limits.DEPTH} levels') from None
    except UnicodeDecodeError as error:
        raise ValueError(f'not UTF-8: {error}') from None
    except json.JSONDecodeError as error:
        raise ValueError(f'not JSON (a truncated line?): {error}') from None
    if not isinstance(value, dict):
        raise ValueError(f'a line must be a JSON object, got {shown(value)}')
    return value


def check_record(record: dict[str, Any]) -> None:
    """Compare a record with :class:`IterationRecord`; fields it does not know may be anything small.

    Raises:
        ValueError: a required field is absent, or a value is of another type or beyond its
            limits.
    """
    for name in REQUIRED:
        if record.get(name) is None:
            raise ValueError(f'{name} is missing')
    for name, value in record.items():
        if name == 'modules':
            _check_modules(value)
        elif name in _HINTS:
            check_field(name, value, _HINTS[name])
        else:
            check_anything(name, value)
    if abs(sum(record['iterations']) - record['total_iterations']) > 1e-6 * record['total_iterations']:
        raise ValueError(
            f'total_iterations must be the sum of iterations, got {record["total_iterations"]} '
            f'for {shown(record["iterations"])}'
        )
    if record['macs'] > record['macs_full']:
        raise ValueError(
            f'macs must be at most macs_full ({record["macs_full"]}), got {record["macs"]}'
        )


def _check_modules(modules: Any) -> None:
    if not isinstance(modules, dict) or not all(isinstance(m, dict) for m in modules.values()):
        raise ValueError(f'modules must be objects by name, got {shown(modules)}')
    check_anything('modules', modules)
    for module, fields in modules.items():
        for name in fields.keys() & _MODULE_HINTS.keys():
            check_field(f'{module}.{name}'[:200], fields[name], _MODULE_HINTS[name])


def read_meta(path: Path) -> dict[str, Any]:
    """Read ``meta.json``.

    Raises:
        ValueError: it is missing, no JSON object, of another schema version, or holds a number, text
            or list beyond the limits of any field.
    """
    if not path.is_file():
        raise ValueError(f'{path.parent} is no complete evaluation: it has no {path.name}')
    try:
        with open(path, 'rb') as file:
            meta = parse_object(file.read(limits.META_BYTES + 1), limits.META_BYTES)
        for name, value in meta.items():
            check_anything(name, value)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    version = meta.get('schema_version')
    if type(version) is not int or version not in READABLE_VERSIONS:
        raise ValueError(
            f'{path}: schema_version must be {" or ".join(map(str, READABLE_VERSIONS))}, got '
            f'{shown(version)}: another version of iterbackbone wrote it'
        )
    return meta


def _check_stages(iterations: list[float], stage_limits: Sequence[float]) -> None:
    if len(iterations) != len(stage_limits):
        raise ValueError(
            f'iterations must have {len(stage_limits)} items, one a stage, got {len(iterations)}'
        )
    for stage, (count, most) in enumerate(zip(iterations, stage_limits, strict=True)):
        if count > most * (1 + 1e-6):  # means over several calls are rounded
            raise ValueError(f'iterations of stage {stage} must be at most {most}, got {shown(count)}')


def _refuse(constant: str) -> None:
    raise ValueError(f'{constant} is no number JSON knows')


def _integer(text: str) -> float:
    """Digits beyond what any field may hold are not worth their conversion: it takes quadratic time."""
    return int(text) if len(text) < 30 else float(text)
