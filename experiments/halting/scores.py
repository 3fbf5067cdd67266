"""Remedies that change the halting scores in training; none is part of the package."""

from __future__ import annotations

import random
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from modules import blocks, halting_units
from torch import Tensor, nn

from iterbackbone.core.halting import HaltingUnit


@HOOKS.register_module()
class ScoreCapHook(Hook):
    """In training every score is multiplied by ``cap``: below 1 - epsilon no image stops at once."""

    def __init__(self, cap: float) -> None:
        self.cap = cap

    def before_train(self, runner: Any) -> None:
        for unit in halting_units(runner.model):
            unit.register_forward_hook(self._capped)

    def _capped(self, unit: HaltingUnit, _: Any, score: Tensor) -> Tensor | None:
        return score * self.cap if unit.training and not unit.held else None


@HOOKS.register_module()
class ForcedDepthHook(Hook):
    """Some batches run every block to one random depth.

    The scores become shares of what is left (h_i times the product of 1 - h_j before), so that
    they stay below one until the forced depth, where the rest goes. Running statistics of
    BatchNorm are left alone in such batches.
    """

    def __init__(self, probability: float) -> None:
        self.probability = probability
        self.depth: dict[nn.Module, int] = {}

    def before_train(self, runner: Any) -> None:
        for block in blocks(runner.model):
            if block.halting is not None:
                block.halting.register_forward_hook(self._forced)
        self.norms = [m for m in runner.model.modules() if isinstance(m, nn.BatchNorm2d)]
        self.random = random.Random(runner.seed)

    def before_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        forced = self.random.random() < self.probability
        self.depth = {
            b.halting: self.random.randint(1, b.max_iterations)
            for b in blocks(runner.model)
            if forced and b.halting is not None
        }
        self.step: dict[nn.Module, tuple[int, Tensor]] = {}
        for norm in self.norms:
            norm.momentum = 0.0 if forced else 0.1

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        self.depth = {}

    def _forced(self, unit: HaltingUnit, _: Any, score: Tensor) -> Tensor | None:
        if unit not in self.depth or unit.held:
            return None
        i, used = self.step.get(unit, (0, torch.zeros_like(score)))
        share = torch.ones_like(score) if i + 1 == self.depth[unit] else score * (0.98 - used)
        self.step[unit] = (i + 1, used + share)
        return share


@HOOKS.register_module()
class BlockBiasHook(Hook):
    """Steers each block's halting bias to its own mean N = ``share`` x L, once it is released."""

    def __init__(self, share: float, rate: float = 0.1) -> None:
        self.share, self.rate = share, rate

    def before_train(self, runner: Any) -> None:
        backbone = runner.model.backbone
        backbone.register_forward_hook(self._keep)
        self.blocks = blocks(backbone)
        self.mean = torch.ones(len(self.blocks))

    def _keep(self, module: Any, *_: Any) -> None:
        if module.training:
            share = module.trace.iterations.float().mean(dim=0) / torch.tensor(module.max_iterations)
            self.mean = torch.lerp(self.mean, share, 0.1)

    @torch.no_grad()
    def after_train_iter(self, *_: Any, **__: Any) -> None:
        for block, share in zip(self.blocks, self.mean, strict=True):
            if block.halting is not None and not block.halting.held:
                wanted = max(self.share, 1.1 / block.max_iterations)
                block.halting.fc2.bias.add_(self.rate * (share - wanted))
