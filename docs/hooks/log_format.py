"""The log's schema as the Markdown tables of docs/log-format.md: run it to make them again.

Rewrites what stands between ``<!-- NAME -->`` and ``<!-- end -->``, NAME being a type of the schema.
"""

import re
from pathlib import Path
from typing import Any, get_type_hints

from msgspec import inspect

from iterbackbone.log import meta_schema, schema

PAGE = Path(__file__).parents[1] / 'log-format.md'
WORDS: dict[Any, str] = {
    inspect.IntType: 'integer',
    inspect.FloatType: 'number',
    inspect.StrType: 'text',
}
WORDS |= {inspect.BoolType: 'true or false', inspect.NoneType: 'null', inspect.DictType: 'object'}


def table(name: str) -> str:
    """A row for each field of one type: its name, type with limits, meaning."""
    kind = getattr(schema, name, None) or getattr(meta_schema, name)
    rows = ['| field | type | meaning |', '|---|---|---|']
    elsewhere = schema.ModuleRecord.__annotations__ if name == 'IterationRecord' else ()
    for field, hint in get_type_hints(kind, include_extras=True).items():
        if field not in elsewhere:
            words, meaning = in_words(inspect.type_info(hint)), hint.__metadata__[-1]
            required = ', required' if field in kind.__required_keys__ else ''
            rows.append(f'| `{field}` | {words}{required} | {meaning} |')
    return '\n'.join(rows)


def in_words(kind: Any) -> str:
    """Such as ``list of 1 to 32 numbers from 0``."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return ' or '.join(in_words(part) for part in kind.types)
    if isinstance(kind, inspect.ListType):
        return f'list of {_range(kind.min_length, kind.max_length)}: {in_words(kind.item_type)}'
    if isinstance(kind, inspect.DictType):
        return f'object of {in_words(kind.value_type)}'
    if isinstance(kind, inspect.TypedDictType):
        return kind.cls.__name__
    if isinstance(kind, inspect.LiteralType):
        return ' or '.join(map(str, kind.values))
    word = WORDS[type(kind)]
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        return f'{word} {_range(kind.ge, kind.le)}'
    return f'{word} up to {kind.max_length}' if getattr(kind, 'max_length', None) else word


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return 'of 64 bits'
    return f'{low or 0:g} to {high:g}' if low != high else f'{high:g}'


def rewritten(text: str) -> str:
    """The page with its tables made again."""
    pattern = re.compile(r'<!-- (\w+) -->\n.*?\n<!-- end -->', re.DOTALL)
    return pattern.sub(lambda m: f'<!-- {m[1]} -->\n\n{table(m[1])}\n\n<!-- end -->', text)


if __name__ == '__main__':
    PAGE.write_text(rewritten(PAGE.read_text()))
