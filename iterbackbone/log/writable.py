"""Lines that readers accept: what is beyond the schema's limits is cut or left out, and said once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from .parsing import shown, to_line


class LineWriter:
    """Makes JSON lines of one type of the schema.

    Args:
        kind: Such as :class:`~iterbackbone.log.schema.IterationRecord`.
        say: Is told of each field once that did not fit.
    """

    def __init__(self, kind: type[Any], say: Callable[[str], None]) -> None:
        self._decoder, self._say = msgspec.json.Decoder(kind), say
        self._types = get_type_hints(kind, include_extras=True)
        self._said: set[str] = set()

    def __call__(self, content: Mapping[str, Any]) -> bytes:
        """One line, newline included.

        Texts are cut to their limits. Any other value that does not fit is null, or left out where
        its field may not be null.

        Raises:
            TypeError: as :func:`.to_line`.
        """
        line = to_line(content)
        try:
            self._decoder.decode(line)
        except msgspec.ValidationError:
            return to_line(self._fitting(json.loads(line)))
        return line

    def _fitting(self, content: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for field, value in content.items():
            kind = self._types.get(field, Any)
            fitting = value
            if not _fits(value, kind):
                fitting = _cut(value, inspect.type_info(kind))
                fitting = fitting if _fits(fitting, kind) else None
                self._note(field, value)
            if fitting is not None or _fits(None, kind):
                found[field] = fitting
        return found

    def _note(self, field: str, value: Any) -> None:
        if field not in self._said:
            self._said.add(field)
            self._say(
                f'{field} is beyond the limits of the iteration log, so it is cut or left out: '
                f'{shown(value)}'
            )


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _cut(value: Any, kind: inspect.Type) -> Any:
    """The value with long texts cut, also in lists and in objects; None for what else does not fit.

    A list that is too long stays as it is: its part would be another answer.
    """
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        options = (_cut(value, each) for each in kind.types)
        return next((each for each in options if each is not None), None)
    if isinstance(kind, inspect.ListType) and isinstance(value, list):
        return [_cut(each, kind.item_type) for each in value]
    if isinstance(kind, inspect.TypedDictType) and isinstance(value, dict):
        types = {field.name: field.type for field in kind.fields}
        return {k: _cut(each, types[k]) if k in types else each for k, each in value.items()}
    if isinstance(kind, inspect.DictType) and isinstance(value, dict):
        return {_cut(k, kind.key_type): _cut(each, kind.value_type) for k, each in value.items()}
    if isinstance(kind, inspect.StrType):
        return value[: kind.max_length] if isinstance(value, str) else None
    return None if isinstance(value, (str, list, dict)) else value
