"""What a training of a network for halting begins with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils import get_installed_path
from torch import nn

from ...text import cause
from ..configs import type_name
from ..traces import handles_on, is_trainable, iterative_modules, refuse_second, unwrapped

ALTERNATIVES = {'AnytimeHook', 'PonderCostHook'}  # a run that has one cannot have the other


def prepare(runner: Runner, kind: type[Hook]) -> tuple[nn.Module, list[Any]]:
    """Begin a training by a hook of this kind: the model, and a list for handles of hooks on it.

    Raises:
        ValueError: the run has a second hook of this kind, activations are checkpointed by the
            Runner, whose second pass would lose the cost's gradient, or run other depths, no iterative
            module is trainable, or one has a budget by share: no evaluation of this run could meet it.
    """
    strategy = getattr(runner, 'strategy', None)  # FlexibleRunner's; FSDP's wraps modules by itself
    recomputes = getattr(strategy, 'activation_checkpointing', None)
    if runner.cfg.get('activation_checkpointing') or recomputes:
        needs = 'needs activation_checkpointing=None; set with_cp=True instead'
        raise ValueError(f'{kind.__name__} {needs}')
    refuse_second(runner, kind)
    model = unwrapped(runner.model)
    handles = detach(runner)  # a run that was broken off has left its own
    names = iterative_modules(model)
    trainable = [module for module in names if is_trainable(module)]
    if not trainable:
        raise ValueError(
            f'{type(model).__name__} has no trainable iterative module: set backbone=dict('
            f"type='iterbackbone.IterativeResNet', ...) or remove {kind.__name__}"
        )
    for module in trainable:
        if module.budget.share is not None:
            needs = f'needs {names[module]}.budget without share, got share={module.budget.share:g}'
            raise ValueError(f'{kind.__name__} {needs}: training ends the fit that it belongs to')
    warn_of_lost_hooks(runner)
    # Averaged copies end a fit where the model does, in its first training step: keys must agree.
    for copy in (hook.ema_model for hook in runner.hooks if hasattr(hook, 'ema_model')):
        for module in iterative_modules(copy):
            module.set_budget_table(None)
    return model, handles


def detach(runner: Runner) -> list[Any]:
    """Remove what is attached to the model and release its halting units; the list is empty then."""
    model = unwrapped(runner.model)
    for module in iterative_modules(model):
        module.hold_halting(False)
    return handles_on(model, 'depths')


def warn_of_lost_hooks(runner: Runner) -> None:
    """Name the hooks of the config's bases that the run of one of the ``ALTERNATIVES`` lacks."""
    try:
        wanted = hooks_of_bases(runner.cfg.filename)
    except Exception as error:  # of a file that has changed, or moved, since it was read
        runner.logger.warning(f'the bases of the config cannot be read: {cause(error)}')
        return
    if lost := wanted - ALTERNATIVES - {type(hook).__name__ for hook in runner.hooks}:
        runner.logger.warning(
            f'the custom_hooks of the base are gone: {", ".join(sorted(lost))}. A list replaces '
            'that of the base: write custom_hooks = [*_base_.custom_hooks, ...], or give your hooks in '
            'default_hooks, which is merged'
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
        folder = file.parents[level - 1] / package if level else Path(get_installed_path(package))
        yield folder.joinpath(*parts).with_suffix('.py')
