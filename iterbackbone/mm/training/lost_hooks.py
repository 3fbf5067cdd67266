"""Hooks that a config's bases have and its own ``custom_hooks`` list dropped."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

FILE_NAME = re.compile(r'^(?:/|[A-Za-z]:[\\/]).*\.(?:py|json|ya?ml)$', re.MULTILINE)


def warn_of_lost_hooks(runner: Runner) -> None:
    """Name the hooks of the config's bases that the run does not have."""
    if lost := hooks_of_bases(runner.cfg) - {type(hook).__name__ for hook in runner.hooks}:
        print_log(
            f'the custom_hooks of the base are gone: {", ".join(sorted(lost))}. A list replaces '
            'that of the base: write custom_hooks = [*_base_.custom_hooks, ...], or give your hooks in '
            'default_hooks, which is merged',
            logger='current',
            level=logging.WARNING,
        )


def hooks_of_bases(config: Config) -> set[str]:
    """Names of the types that the ``custom_hooks`` of a config's bases amount to.

    A base whose list holds this package's hooks counts as one of the user's: it should not have
    dropped what its own bases have.
    """
    found: set[str] = set()
    for source in FILE_NAME.split(config.text)[1:-1]:  # every file, bases first, below its name
        statements = [each for each in _statements(source) if 'custom_hooks' in _names(each)]
        types = {name for each in statements for name in _types(each)}
        kept = [each for each in statements if not isinstance(each, ast.Delete)]
        extends = any('_base_' in _names(each) for each in kept)
        if statements:
            ours = any(name.startswith('iterbackbone.') for name in types)
            found = types | (found if extends or ours else set())
    return {name.split('.')[-1] for name in found}


def _statements(source: str) -> list[ast.stmt]:
    """Of a config file in Python."""
    try:
        return ast.parse(source).body
    except SyntaxError:  # another format, or one of mmengine's placeholders
        return []


def _names(statement: ast.stmt) -> set[str]:
    nodes = list(ast.walk(statement))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {node.id for node in nodes if isinstance(node, ast.Name)}


def _types(node: ast.AST) -> Iterator[str]:
    """The ``type`` of each outermost ``dict(type='...')``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        yield from (
            keyword.value.value
            for keyword in node.keywords
            if keyword.arg == 'type' and isinstance(keyword.value, ast.Constant)
        )
        return
    for child in ast.iter_child_nodes(node):
        yield from _types(child)
