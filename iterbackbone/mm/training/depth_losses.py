"""The loss of a training batch at several depths: does depth pay yet?"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmcv.cnn import is_norm
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ..traces import iterative_modules

DEPTHS = {'lowest': 0.0, 'middle': 0.5, 'full': 1.0}  # share of the way from 1 to L


class DepthLosses:
    """Measures where it is due, before the training's own forward pass, for the message hub."""

    def __init__(self) -> None:
        self.due = False  # in this training step
        self.share: float | None = None  # from one iteration to all, while a measurement runs
        self._found: dict[str, Tensor] = {}

    def depths(self, module: AdaptiveModule, rows: int) -> Tensor:
        """Of this measurement, (rows, K) int64."""
        limits = torch.tensor(module.max_iterations)
        depths = 1 + ((limits - 1) * self.share).round().long()
        return depths.expand(rows, -1)

    def publish(self, runner: Runner) -> None:
        hub = runner.message_hub
        for name, loss in self._found.items():
            key = f'train/loss_at_{name}'
            hub.log_scalars.pop(key, None)  # mmengine logs the mean of what it has: 50 are 2,500 steps
            hub.update_scalar(key, loss)
        self._found.clear()

    @torch.compiler.disable  # random states are kept, which no graph can hold
    def measure(self, model: Any, args: tuple, kwargs: dict) -> None:
        """As a forward pre-hook of the model."""
        # Before the training's own pass: a loss that rescales weights in place, as SwAV's, would
        # spoil its gradients behind it.
        if not self.due or not model.training or kwargs.get('mode') != 'loss':
            return
        devices = {p.device for p in model.parameters() if p.device.type == 'cuda'}
        with warnings.catch_warnings(), evaluating(model):
            warnings.simplefilter('ignore', UserWarning)  # what is not trained yet may still be
            for name, share in DEPTHS.items():
                self.share = share
                own = {k: copy.deepcopy(v) for k, v in kwargs.items() if k == 'data_samples'}
                try:  # heads may change samples, and draw: at each depth the same
                    with torch.random.fork_rng(devices):
                        losses = model.forward(*args, **{**kwargs, **own})
                finally:
                    self.share = None
                self._found[name] = model.parse_losses(losses)[0]
        torch.clear_autocast_cache()  # older torch keeps weights without a gradient


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Norms, dropout and iterative modules in evaluation mode, no gradients.

    Heads stay as they are: some compute losses in training mode only. Modes are as before afterwards.
    """
    modes = {part: part.training for part in model.modules()}
    for part in modes:
        by_name = any(word in type(part).__name__ for word in ('Drop', 'BatchNorm'))
        if by_name or isinstance(part, AdaptiveModule) or is_norm(part):
            part.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in iterative_modules(model):  # theirs forgets what an evaluation noted of the norms
            module.train(modes[module])
        for part, mode in modes.items():
            part.training = mode
