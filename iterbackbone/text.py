"""Text that comes from files, fit for a terminal and a page."""

from __future__ import annotations

from typing import Any


def printable(text: str) -> str:
    """In one line, without control sequences."""
    return ''.join(c if c.isprintable() else '?' for c in ' '.join(text.split()))


def all_printable(value: Any) -> Any:
    """``value`` of dicts, lists and others with every text (keys are not) made :func:`printable`."""
    if isinstance(value, dict):
        return {key: all_printable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_printable(each) for each in value]
    return printable(value) if isinstance(value, str) and not value.isprintable() else value
