"""Hooks of which a run has one: a base's ``custom_hooks`` and own ``default_hooks`` may add up."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner


def refuse_second(runner: Runner, kind: type[Hook]) -> None:
    """Raise ValueError where the run has two hooks of this kind, which undo or repeat each other."""
    if sum(isinstance(hook, kind) for hook in runner.hooks) > 1:
        raise ValueError(
            f'the run has two {kind.__name__}s: give one, in default_hooks or in custom_hooks'
        )
