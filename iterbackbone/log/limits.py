"""What the numbers and texts of a log may be; each limit stands here once.

A log may come from anywhere, and what it says reaches axes, tables and titles: one absurd value
costs minutes or gigabytes there. Readers refuse a value beyond its limit. A field's limit is part
of its type, ``Annotated[int, Within(0, 10)]``; a field of a plain type has the default of that type.
"""

from __future__ import annotations

import types
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin


class Within(NamedTuple):
    """Bounds, both included: of a number itself, of a text's characters, of a list's items."""

    low: float
    high: float


NUMBER = Within(0, 10**15)
DEFAULTS = {int: NUMBER, float: NUMBER, str: Within(0, 4096), list: Within(0, 1000)}
NOUNS = {int: 'an integer', float: 'a number', bool: 'true or false', type(None): 'null'}

Pixels = Annotated[int, Within(0, 10**6)]
Count = Annotated[int, Within(0, 10**9)]
Macs = Annotated[int, Within(0, 10**18)]
Share = Annotated[float, Within(0, 1)]
Area = Annotated[float, Within(-(10**12), 10**12)]  # a box may be inverted
Iterations = Annotated[float, Within(0, 10**6)]
Identifier = Annotated[int, Within(-(2**63), 2**63 - 1)]
Name = Annotated[str, Within(0, 500)]
Names = Annotated[list[Name], Within(0, 10**5)]
Stages = Annotated[list[Iterations], Within(1, 32)]
StageSizes = Annotated[list[Annotated[int, Within(1, 10**4)]], Within(1, 32)]
Blocks = Annotated[list[Annotated[int, Within(1, 10**4)]], Within(1, 1000)]

ANY_NUMBER = Within(-(10**18), 10**18)  # of a field that the schema does not know
ANY_TEXT = Within(0, 10**5)
ANY_ITEMS = Within(0, 10**5)
DEPTH = 20

RECORD_BYTES = 2**20  # of a line of records.jsonl
PREDICTION_BYTES = 2**24  # of a line of predictions.jsonl
META_BYTES = 2**24
RECORDS = 2 * 10**6  # lines of a log
TOTAL_ITERATIONS = 10**4  # of all blocks together: each is a bar of a figure
BOXES = 3000  # of one kind and image: their overlaps are computed pair by pair
COORDINATES = Within(-(10**9), 10**9)  # and scores


def check_field(name: str, value: Any, hint: Any) -> None:
    """Compare a value with an annotated type.

    Raises:
        ValueError: it is of another type or beyond the limits; name, value and what is allowed.
    """
    if not _conforms(value, hint):
        raise ValueError(f'{name} must be {in_words(hint)}, got {shown(value)}')


def check_anything(name: str, value: Any, depth: int = 0) -> None:
    """Hold a value of unknown type to the limits of any number, text and list.

    Raises:
        ValueError: as :func:`check_field`; also nested deeper than ``DEPTH``.
    """
    if depth > DEPTH:
        raise ValueError(f'{name} is nested deeper than {DEPTH} levels')
    if isinstance(value, (int, float)):
        if not _inside(value, ANY_NUMBER):
            raise ValueError(f'{name} must be a number {_range(ANY_NUMBER)}, got {shown(value)}')
    elif isinstance(value, str):
        if not _inside(len(value), ANY_TEXT):
            raise ValueError(f'{name} must have at most {ANY_TEXT.high} characters, got {len(value)}')
    elif isinstance(value, (dict, list)):
        if not _inside(len(value), ANY_ITEMS):
            raise ValueError(f'{name} must have at most {ANY_ITEMS.high} items, got {len(value)}')
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and not _inside(len(key), ANY_TEXT):
                raise ValueError(f'{name} has a name of {len(key)} characters')
            check_anything(f'{name}.{key}'[:200], part, depth + 1)


def in_words(hint: Any) -> str:
    """Such as ``an integer from 0 to 1e+06 or null``."""
    kind, within = _parts(hint)
    if _is_union(kind):
        return ' or '.join(in_words(option) for option in get_args(kind))
    if get_origin(kind) is list:
        return f'a list of {within.low:g} to {within.high:g} items, each {in_words(get_args(kind)[0])}'
    if kind is str:
        return f'a text of at most {within.high:g} characters'
    return f'{NOUNS[kind]} {_range(within)}' if kind in (int, float) else NOUNS[kind]


def shown(value: Any) -> str:
    """The value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'


def _conforms(value: Any, hint: Any) -> bool:
    kind, within = _parts(hint)
    if _is_union(kind):
        return any(_conforms(value, option) for option in get_args(kind))
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        good = isinstance(value, list) and _inside(len(value), within)
        return good and all(_conforms(v, item) for v in value)
    if kind in (int, float):
        kinds = (int,) if kind is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and _inside(value, within)
    return isinstance(value, kind) and (kind is not str or _inside(len(value), within))


def _parts(hint: Any) -> tuple[Any, Within]:
    """The type and its limits."""
    if get_origin(hint) is Annotated:
        kind, within = get_args(hint)
        return kind, within
    return hint, DEFAULTS.get(get_origin(hint) or hint, Within(0, 0))


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _inside(value: float, within: Within) -> bool:
    return within.low <= value <= within.high


def _range(within: Within) -> str:
    return f'from {within.low:g} to {within.high:g}'
