"""Text of messages, fit for a terminal and a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import zip_longest
from typing import Any


def printable(text: str) -> str:
    """What comes from a file, in one line without control sequences."""
    return ''.join(c if c.isprintable() else '?' for c in ' '.join(text.split()))


def all_printable(value: Any) -> Any:
    """``value`` of dicts, lists and others with every text (keys are not) made :func:`printable`."""
    if isinstance(value, dict):
        return {key: all_printable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_printable(each) for each in value]
    return printable(value) if isinstance(value, str) and not value.isprintable() else value


def cause(error: BaseException) -> str:
    """An error by its kind and what it says; ``repr`` would leave out the file of an OSError."""
    return f'{type(error).__name__}: {error}' if isinstance(error, OSError) else repr(error)


def nearest(name: str, names: Iterable[str]) -> str:
    """Ends a message with those of ``names`` that look like ``name``, whole or by their last part."""
    parts = {part.lower(): each for each in names for part in (each, each.rpartition('/')[2])}
    found = dict.fromkeys(parts[part] for part in get_close_matches(str(name).lower(), parts, n=3))
    return f'; did you mean {" or ".join(found)}?' if found else ''


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table: first column to the left, the others to the right."""
    table = list(rows)
    first, *others = [max(map(len, column)) for column in zip_longest(*table, fillvalue='')]
    for name, *cells in table:
        padded = [f'{cell:>{width}}' for cell, width in zip(cells, others, strict=False)]
        yield '  '.join([name.ljust(first), *padded]).rstrip()
