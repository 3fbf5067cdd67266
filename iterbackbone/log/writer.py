"""Writes the lines of a log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


def to_line(content: Mapping[str, Any]) -> bytes:
    """One line of JSON, newline included; numbers that are not finite become null.

    Raises:
        TypeError: a value is of a type JSON has no word for.
    """
    return msgspec.json.encode(content) + b'\n'
