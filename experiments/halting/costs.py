"""Remedies that add a cost of the halting distribution; none is part of the package."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from modules import blocks
from torch import Tensor, nn


@HOOKS.register_module()
class PriorHook(Hook):
    """Adds ``weight`` x KL(weights of the iterations || truncated geometric prior) per block.

    The prior's success probability makes its mean ``share`` of L. Needs execution='masked' in
    training, so that a row keeps its place. After PonderNet (Banino et al. 2021, Eq. 7).
    """

    def __init__(self, weight: float, share: float) -> None:
        self.weight, self.share = weight, share

    def before_train(self, runner: Any) -> None:
        self.scores: dict[nn.Module, list[Tensor]] = {}
        self.length = {}
        for block in blocks(runner.model):
            if block.halting is not None:
                self.length[block.halting] = block.max_iterations
                block.halting.register_forward_hook(self._keep)
        runner.model.register_forward_pre_hook(lambda *_: self.scores.clear())
        runner.model.register_forward_hook(self._add_loss, with_kwargs=True)

    def _keep(self, unit: nn.Module, _: Any, score: Tensor) -> None:
        self.scores.setdefault(unit, []).append(score)

    def _add_loss(self, _: nn.Module, __: Any, kwargs: dict, output: Any) -> Any:
        if kwargs.get('mode') != 'loss':
            return None
        losses = [divergence(s, self.length[u], self.share) for u, s in self.scores.items()]
        return {**output, 'loss_prior': self.weight * torch.stack(losses).sum()}


def divergence(scores: list[Tensor], length: int, share: float, epsilon: float = 0.01) -> Tensor:
    """Mean over rows of KL(w || p), w the weights of Algorithm 1, p a truncated geometric prior."""
    left, running, parts = torch.ones_like(scores[0]), torch.ones_like(scores[0], dtype=torch.bool), []
    log_prior = geometric_log_prior(length, share)
    for i in range(length):
        score = scores[i] if i < len(scores) else torch.ones_like(left)
        halts = running & (left - score <= epsilon)
        weight = torch.where(halts, left, torch.where(running, score, torch.zeros_like(left)))
        parts.append(weight * (weight.clamp_min(1e-6).log() - log_prior[i]))
        left = torch.where(running & ~halts, left - score, left)
        running = running & ~halts
    return torch.stack(parts).sum(dim=0).mean()


def geometric_log_prior(length: int, share: float) -> list[float]:
    """log p of 1..L, p_i ~ q^(i-1), with mean ``share`` x L found by bisection on q."""
    low, high = 1e-6, 10.0
    for _ in range(80):
        q = math.sqrt(low * high)
        p = [q**i for i in range(length)]
        mean = sum((i + 1) * x for i, x in enumerate(p)) / sum(p)
        low, high = (q, high) if mean < max(1.0, share * length) else (low, q)
    return [math.log(x / sum(p)) for x in p]


@HOOKS.register_module()
class StageTargetHook(Hook):
    """Pays each block's ponder cost by how far its mean N / L is above (or below) ``share``."""

    def __init__(self, gain: float, share: float) -> None:
        self.gain, self.share = gain, share

    def before_train(self, runner: Any) -> None:
        runner.model.backbone.register_forward_hook(self._keep)
        runner.model.register_forward_hook(self._add_loss, with_kwargs=True)

    def _keep(self, module: Any, *_: Any) -> None:
        trace = module.trace
        limits = torch.tensor(module.max_iterations)
        excess = (trace.iterations.float().mean(dim=0) / limits - self.share).detach()
        self.loss = (self.gain * excess * trace.ponder_cost.mean(dim=0)).sum()

    def _add_loss(self, _: nn.Module, __: Any, kwargs: dict, output: Any) -> Any:
        return {**output, 'loss_stage_target': self.loss} if kwargs.get('mode') == 'loss' else None
