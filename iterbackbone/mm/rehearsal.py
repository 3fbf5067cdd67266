"""Repeats a training step's forward pass as evaluation would run it, once in a while."""

from __future__ import annotations

from typing import Any

from torch.utils.hooks import RemovableHandle

from ..core.adaptive import AdaptiveModule
from ..core.rehearsal import trace_in_evaluation
from .trace_collector import Call

EVERY = 20  # training steps; a rehearsal costs about a third of a step


class Rehearsal:
    """Listens to ``modules``; in every :data:`EVERY`-th training step it runs each call again.

    Evaluation takes BatchNorm's running statistics, so that the same images halt a little earlier
    or later than in training.

    Attributes:
        calls: Of this step, as evaluation would have run them; empty in most steps.
    """

    def __init__(self, modules: list[AdaptiveModule]) -> None:
        self.calls: list[Call] = []
        self._step = 0
        self._handles: list[RemovableHandle] = [
            module.register_forward_hook(self._rehearse) for module in modules
        ]

    def next_step(self) -> None:
        """Begin a training step."""
        self._step += 1
        self.calls.clear()

    def detach(self) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()
        self.calls.clear()

    def _rehearse(self, module: AdaptiveModule, inputs: tuple, _: Any) -> None:
        if module.training and self._step % EVERY == 0:
            self.calls.append(Call(module, trace_in_evaluation(module, *inputs), None))
