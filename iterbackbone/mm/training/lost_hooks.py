"""Hooks that a config's bases have and its own ``custom_hooks`` list dropped."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.utils import get_installed_path

from ...text import cause
from ..configs import type_name

ALTERNATIVES = {'AnytimeHook', 'PonderCostHook'}  # a run that has one cannot have the other


def warn_of_lost_hooks(runner: Runner) -> None:
    """Name the hooks of the config's bases that the run of one of the ``ALTERNATIVES`` lacks."""
    try:
        wanted = hooks_of_bases(runner.cfg.filename)
    except Exception as error:  # of a file that has changed, or moved, since it was read
        print_log(f'the bases of the config cannot be read: {cause(error)}', 'current', logging.WARNING)
        return
    if lost := wanted - ALTERNATIVES - {type(hook).__name__ for hook in runner.hooks}:
        print_log(
            f'the custom_hooks of the base are gone: {", ".join(sorted(lost))}. A list replaces '
            'that of the base: write custom_hooks = [*_base_.custom_hooks, ...], or give your hooks in '
            'default_hooks, which is merged',
            logger='current',
            level=logging.WARNING,
        )


def hooks_of_bases(file: str | None) -> set[str]:
    """Names of the types in the ``custom_hooks`` of a config's bases, whatever the files' format.

    A base whose list holds this package's hooks counts as one of the user's: it should not have
    dropped what its own bases have.
    """
    found: set[str] = set()
    for base in _bases(Path(file)) if file else ():
        hooks = Config.fromfile(base).get('custom_hooks') or ()
        found |= set(map(type_name, hooks))
        if any('iterbackbone.' in str(hook['type']) for hook in hooks):  # a name or a class
            found |= hooks_of_bases(str(base))
    return found


def _bases(file: Path) -> Iterator[Path]:
    """mmengine has no public way to ask for them."""
    if not Config._is_lazy_import(str(file)):
        with NamedTemporaryFile(suffix=file.suffix) as copy:  # a base's name may hold a variable
            Config._substitute_predefined_vars(str(file), copy.name)
            Config._substitute_env_variables(copy.name, copy.name)
            names = Config._get_base_files(copy.name)
        for name in names:
            yield Path(Config._get_cfg_path(name, str(file))[0])
        return
    for name in Config._get_base_modules(ast.parse(file.read_text(encoding='utf-8')).body):
        module = name.lstrip('.')
        level = len(name) - len(module)
        package, *parts = module.split('.')
        if level:
            folder, parts = file.parents[level - 1], [package, *parts]
        else:
            folder = Path(get_installed_path(package))
        yield folder.joinpath(*parts).with_suffix('.py')
