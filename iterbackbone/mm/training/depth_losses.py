"""The loss of a training batch at several depths: does depth pay yet?"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule

DEPTHS = {'lowest': 0.0, 'middle': 0.5, 'full': 1.0}  # share of the way from 1 to L


class DepthLosses:
    """Measures now and then, ``every`` so many training steps or never (0), for the message hub.

    Attributes:
        share: Of the way from one iteration to all, while a measurement runs; else None.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.share: float | None = None
        self._found: dict[str, Tensor] = {}

    def due(self, step: int, last_of_epoch: bool) -> bool:
        """Whether to measure in this training step: short epochs, too, end with their own losses."""
        return self.every > 0 and (last_of_epoch or step % self.every == 0)

    def depths(self, module: AdaptiveModule, rows: int) -> Tensor:
        """Of this measurement, (rows, K) int64."""
        limits = torch.tensor(module.max_iterations)
        depths = 1 + ((limits - 1) * self.share).round().long()
        return depths.expand(rows, -1)

    def measure(self, model: nn.Module, args: tuple, kwargs: dict) -> None:
        """Repeat a forward pass with ``mode='loss'`` at each depth; the model is in evaluation mode.

        Each depth draws the same random numbers, as samplers of regions do.
        """
        devices = {p.device for p in model.parameters() if p.device.type == 'cuda'}
        with warnings.catch_warnings():  # what is not trained yet may still be
            warnings.simplefilter('ignore', UserWarning)
            for name, share in DEPTHS.items():
                self.share = share
                own = {k: copy.deepcopy(v) for k, v in kwargs.items() if k == 'data_samples'}
                try:  # heads may change samples
                    with torch.random.fork_rng(devices):
                        losses: Any = model.forward(*args, **{**kwargs, **own})
                finally:
                    self.share = None
                self._found[name] = model.parse_losses(losses)[0]  # type: ignore[operator]

    def publish(self, runner: Runner) -> None:
        """Send what was measured in this step."""
        hub = runner.message_hub
        for name, loss in self._found.items():
            key = f'train/loss_at_{name}'
            hub.log_scalars.pop(key, None)  # mmengine logs the mean of what it has: 50 are 2,500 steps
            hub.update_scalar(key, loss)
        self._found.clear()
