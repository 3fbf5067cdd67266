"""Repeats a training step's forward pass as evaluation would run it, once in a while."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.hooks import RemovableHandle

from ...core.adaptive import AdaptiveModule
from ...core.trace import trace_in_evaluation
from ..traces import Call, is_trainable

EVERY = 20  # training steps; a rehearsal costs about a third of a step


class Rehearsal:
    """Listens to ``modules``; where it is due it runs each of their trained calls again.

    Evaluation takes BatchNorm's running statistics, so that the same images halt a little earlier
    or later than in training.

    Attributes:
        due: Whether to rehearse now; set it from the training step, which checkpoints hold.
        calls: Of this forward pass, as evaluation would have run them.
    """

    def __init__(self, modules: list[AdaptiveModule]) -> None:
        self.due = False
        self.calls: list[Call] = []
        self._handles: list[RemovableHandle] = [
            module.register_forward_hook(self._rehearse, with_kwargs=True) for module in modules
        ]

    def detach(self) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()
        self.calls.clear()

    def _rehearse(self, module: AdaptiveModule, args: tuple, kwargs: dict, _: Any) -> None:
        if self.due and torch.is_grad_enabled() and is_trainable(module):
            same = not module.training  # the call itself was as in evaluation
            trace = module.trace if same else trace_in_evaluation(module, *args, **kwargs)
            self.calls.append(Call(module, trace, None))
