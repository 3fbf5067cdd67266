"""JSON text of the schema's types: written, and decoded, in words where something does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar('T')


class Parser(Generic[T]):
    """Decodes JSON text into a type of the schema; fields it does not know are left out.

    Args:
        kind: Such as :class:`~iterbackbone.log.schema.IterationRecord`.
        most_bytes: Longest text.
    """

    def __init__(self, kind: type[T], most_bytes: int) -> None:
        self._decoder, self._most_bytes = msgspec.json.Decoder(kind), most_bytes

    def __call__(self, text: bytes) -> T:
        """Decode.

        Raises:
            ValueError: the text is too long, no JSON, or a value is of another type or beyond the
                limits of its field; the message names the field, what is allowed and the value.
        """
        if len(text) > self._most_bytes:
            raise ValueError(f'it must have at most {self._most_bytes} bytes, it has more')
        try:
            return self._decoder.decode(text)
        except msgspec.ValidationError as error:
            raise ValueError(_described(str(error), text)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f'not JSON (a truncated line?): {error}') from None
        except RecursionError:
            raise ValueError('nested too deeply') from None


def to_line(content: Mapping[str, Any]) -> bytes:
    """One line of JSON, newline included; numbers that are not finite become null.

    Raises:
        TypeError: a value is of a type JSON has no word for.
    """
    return msgspec.json.encode(content) + b'\n'


def _described(message: str, text: bytes) -> str:
    """msgspec's message with the field first and the value last, as far as it says which it is."""
    what, _, path = message.partition(' - at `$')
    path = path.rstrip('`').lstrip('.')
    try:
        value = json.loads(text, parse_int=_integer)
        for step in re.findall(r'[^.\[\]]+', path):
            value = value[int(step) if isinstance(value, list) else step]
    except (ValueError, KeyError, TypeError, RecursionError):
        return f'{path or "the line"}: {what}'
    return f'{path or "the line"}: {what}, got {shown(value)}'


def _integer(digits: str) -> float:
    """Digits that no field may hold are not worth their conversion: it takes quadratic time."""
    return int(digits) if len(digits) < 30 else float(digits)


def shown(value: Any) -> str:
    """The value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'
