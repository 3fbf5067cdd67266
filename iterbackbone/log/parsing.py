"""JSON text of the schema's types: written, and decoded, in words where something does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePath
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

    Arrays, tensors and paths are written as what they hold, bytes of a name that are no UTF-8 as
    escapes.

    Raises:
        TypeError: a value is of another type that JSON has no word for.
    """
    try:
        return msgspec.json.encode(content, enc_hook=_plain) + b'\n'
    except UnicodeEncodeError:
        return msgspec.json.encode(_encodable(content), enc_hook=_plain) + b'\n'


def _plain(value: Any) -> Any:
    if hasattr(value, 'tolist'):
        return value.tolist()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f'a log must hold numbers, texts and lists of them, got {type(value).__name__}')


def _encodable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(each) for each in value]
    text = str(value) if isinstance(value, (str, PurePath)) else None
    return value if text is None else text.encode(errors='backslashreplace').decode()


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
