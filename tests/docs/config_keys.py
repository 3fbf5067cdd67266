"""Whether a config's keys name something: mmengine adds a misspelt key without a word."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import mmdet.utils
import mmengine.registry
import mmpretrain.utils
import mmseg.utils
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner

import iterbackbone.registry as ours

SCOPES = ('mmengine', 'mmdet', 'mmseg', 'mmpretrain')
ROOTS = [each for each in vars(mmengine.registry).values() if isinstance(each, Registry)]
REGISTRIES = [ours.MODELS, ours.HOOKS, *ROOTS]  # ours first: a root takes any name that can be imported
NOT_ARGUMENTS = {'type', '_delete_'}
for library in (mmdet, mmseg, mmpretrain):
    library.utils.register_all_modules(init_default_scope=False)


def check_keys(config: Config, changes: dict) -> None:
    """Raise unless each dotted key is in the config or an argument of the class it belongs to."""
    for key in changes:
        node = config
        for part in key.split('.'):
            if isinstance(node, (list, tuple)):
                node = node[int(part)]
            elif part in node:
                node = node[part]
            elif isinstance(node, Config):
                assert f"'{part}'" in inspect.getsource(Runner), f'{key}: nothing takes {part!r}'
                break
            else:
                check_arguments({'type': node.get('type'), part: None})
                break


def check_arguments(node: dict) -> None:
    """Raise unless the type exists and one of its classes has each key as an argument."""
    kind = class_of(node['type'])
    known = {name for each in kind.__mro__[:-1] for name in inspect.signature(each.__init__).parameters}
    unknown = node.keys() - known - NOT_ARGUMENTS
    assert not unknown, f'{node["type"]}: nothing takes {", ".join(map(repr, unknown))}'


def class_of(name: str) -> type:
    """What a config's type stands for, in any registry."""
    names = [name] if '.' in str(name) else [f'{scope}.{name}' for scope in SCOPES]
    for registry in REGISTRIES:
        for each in names:
            if found := registry.get(each):
                return found
    raise AssertionError(f'no registry has the type {name!r}')


def typed_dicts(node: object) -> Iterator[dict]:
    """All dicts with a type inside a config's values."""
    if isinstance(node, dict):
        if 'type' in node:
            yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for each in node:
            yield from typed_dicts(each)
