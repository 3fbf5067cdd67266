"""JSON lines of the schema's types: written so that readers accept them, and decoded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Generic, TypeVar, get_type_hints

import msgspec

T = TypeVar('T')
NAME_LENGTH = 500  # letters that any text of the schema may have


class Parser(Generic[T]):
    """Decodes JSON text of at most ``most_bytes`` into a type of the schema, such as IterationRecord.

    Fields it does not know are left out.
    """

    def __init__(self, kind: type[T], most_bytes: int) -> None:
        self._decoder, self._most_bytes = msgspec.json.Decoder(kind), most_bytes

    def __call__(self, text: bytes) -> T:
        """Decode; ValueError where the text is no such line: the field, what is allowed, the value."""
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


def _described(message: str, text: bytes) -> str:
    """msgspec's message with the field first and the value last, as far as it says which it is."""
    what, _, path = message.partition(' - at `$')
    path = path.rstrip('`').lstrip('.')
    said = f'{path or "the line"}: {what}'
    try:
        value = json.loads(text, parse_int=_integer)
        for step in re.findall(r'[^.\[\]]+', path):
            value = value[int(step) if isinstance(value, list) else step]
    except (ValueError, KeyError, TypeError, RecursionError):
        return said
    return f'{said}, got {shown(value)}'


def _integer(digits: str) -> float:
    """Digits that no field may hold are not worth their conversion: it takes quadratic time."""
    return int(digits) if len(digits) < 30 else float(digits)


class LineWriter:
    """Makes JSON lines of one type of the schema; ``say`` hears once of each field that did not fit."""

    def __init__(self, kind: type[Any], say: Callable[[str], None]) -> None:
        self._decoder, self._say = msgspec.json.Decoder(kind), say
        self._types = get_type_hints(kind, include_extras=True)
        self._said: set[str] = set()

    def __call__(self, content: Mapping[str, Any]) -> bytes:
        """As :func:`to_line`, but what is beyond the schema's limits is cut or left out.

        Texts are cut. Any other field that does not fit is null, or left out where it may not be null.
        """
        line = to_line(content)
        try:
            self._decoder.decode(line)
        except msgspec.ValidationError:
            fields = [(name, self._fitting(name, value)) for name, value in json.loads(line).items()]
            return to_line({k: v for k, v in fields if v is not None or self._fits(k, None)})
        return line

    def _fitting(self, field: str, value: Any) -> Any:
        if self._fits(field, value):
            return value
        if field not in self._said:
            self._said.add(field)
            self._say(
                f'{field} is beyond the limits of the iteration log, so it is cut or left out: '
                f'{shown(value)}'
            )
        cut = _with_texts(value, lambda text: text[:NAME_LENGTH])
        return cut if self._fits(field, cut) else None

    def _fits(self, field: str, value: Any) -> bool:
        try:
            msgspec.convert(value, self._types.get(field, Any))
        except msgspec.ValidationError:
            return False
        return True


def to_line(content: Mapping[str, Any]) -> bytes:
    """One line of JSON, newline included; numbers that are not finite become null.

    Arrays, tensors and paths are written as what they hold, bytes of a name that are no UTF-8 as
    escapes; TypeError for other types that JSON has no word for.
    """
    try:
        return msgspec.json.encode(content, enc_hook=_plain) + b'\n'
    except UnicodeEncodeError:
        whole = _with_texts(content, lambda text: text.encode(errors='backslashreplace').decode())
        return msgspec.json.encode(whole, enc_hook=_plain) + b'\n'


def _plain(value: Any) -> Any:
    if hasattr(value, 'tolist'):
        return value.tolist()
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f'a log must hold numbers, texts and lists of them, got {type(value).__name__}')


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {_with_texts(k, change): _with_texts(each, change) for k, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_texts(each, change) for each in value]
    return change(str(value)) if isinstance(value, (str, PurePath)) else value


def shown(value: Any) -> str:
    """The value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'
