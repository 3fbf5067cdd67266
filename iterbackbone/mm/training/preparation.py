"""What a training of a network for halting begins with."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ..traces import handles_on, is_trainable, iterative_modules, refuse_second, unwrapped
from .lost_hooks import warn_of_lost_hooks


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
