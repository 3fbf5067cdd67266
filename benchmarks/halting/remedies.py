"""Remedies against collapse that were tried and are not part of the package.

Each is a mmengine hook that changes how the halting scores are made or paid for in training.
"""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor, nn

from iterbackbone.core.block import IterativeBlock
from iterbackbone.core.halting import HaltingUnit
from iterbackbone.core.normalization import normalise


def halting_units(model: nn.Module) -> list[HaltingUnit]:
    return [m for m in model.modules() if isinstance(m, HaltingUnit)]


def blocks(model: nn.Module) -> list[IterativeBlock]:
    return [m for m in model.modules() if isinstance(m, IterativeBlock)]


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

    def _forced(self, unit: HaltingUnit, _: Any, score: Tensor) -> Tensor | None:
        if unit not in self.depth or unit.held:
            return None
        i, used = self.step.get(unit, (0, torch.zeros_like(score)))
        share = torch.ones_like(score) if i + 1 == self.depth[unit] else score * (0.98 - used)
        self.step[unit] = (i + 1, used + share)
        return share


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


class _Priced(torch.autograd.Function):
    """Scales the gradient of each row's ponder cost by a price that depends on its task gradient."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, cost: Tensor, price: Any) -> tuple[Tensor, Tensor]:
        ctx.price = price
        return output.view_as(output), cost.view_as(cost)

    @staticmethod
    def backward(ctx: Any, task: Tensor, cost: Tensor) -> tuple[Tensor, Tensor, None]:
        return task, cost * ctx.price(task.flatten(1).norm(dim=1)), None


def inverse(size: Tensor, limit: float = 10.0) -> Tensor:
    """Rows with a small task gradient (easy ones) pay more, hard ones less; the mean is 1."""
    easy = (size.mean() / size.clamp_min(1e-12)).clamp(1 / limit, limit)
    return easy / easy.mean()


def rank(size: Tensor) -> Tensor:
    """From 1 for the row with the smallest task gradient to -1 for the largest; the mean is 0."""
    place = size.argsort().argsort().to(size.dtype)
    return 1 - 2 * place / max(len(size) - 1, 1) if len(size) > 1 else torch.zeros_like(size)


@HOOKS.register_module()
class PriceHook(Hook):
    """Easy rows pay more for an iteration than hard ones, by the norm of their task gradient."""

    def __init__(self, by: str) -> None:
        self.price = {'inverse': inverse, 'rank': rank}[by]

    def before_train(self, runner: Any) -> None:
        for block in blocks(runner.model):
            block.register_forward_hook(self._priced)

    def _priced(self, block: nn.Module, _: Any, result: Any) -> Any:
        if not (block.training and result.ponder_cost.requires_grad):
            return None
        output, cost = _Priced.apply(result.output, result.ponder_cost, self.price)
        return result._replace(output=output, ponder_cost=cost)


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


@HOOKS.register_module()
class NoLastReluHook(Hook):
    """No ReLU behind a block's third convolution, as in a ResNet's residual branch."""

    def before_run(self, runner: Any) -> None:
        for block in blocks(runner.model):
            block.residual = partial(_residual_without_last_relu, block)


def _residual_without_last_relu(block: IterativeBlock, state: Tensor, i: int) -> Tensor:
    x = F.relu(normalise(block.norm1[i], block.conv1(state)), inplace=True)
    x = F.relu(normalise(block.norm2[i], block.conv2(x)), inplace=True)
    return normalise(block.norm3[i], block.conv3(x))


@HOOKS.register_module()
class SharedAffineHook(Hook):
    """One gamma and beta for all iterations of a block; the statistics stay per iteration."""

    def before_run(self, runner: Any) -> None:
        for block in blocks(runner.model):
            for norms in (block.norm1, block.norm2, block.norm3):
                for norm in norms[1:]:
                    norm.weight, norm.bias = norms[0].weight, norms[0].bias
