"""Norms in evaluation as two numbers a channel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

SMALLEST_SCALE = 1e-12  # a channel with a smaller one is constant to rounding


class Affine(NamedTuple):
    """What a norm does to a channel: ``scale * x + shift``, (C,) float32, or float64 as the norm's."""

    scale: Tensor
    shift: Tensor

    def scaled_sum(self) -> ScaledSum:
        """The same with the addition first; a scale of 0 becomes the smallest one."""
        small = self.scale.abs() < SMALLEST_SCALE
        scale = self.scale.masked_fill(small, SMALLEST_SCALE)
        return ScaledSum(scale, self.shift, self.shift / scale)


class ScaledSum(NamedTuple):
    """The same, or ``scale * (x + offset)``."""

    scale: Tensor
    shift: Tensor
    offset: Tensor  # too large for float16 where the scale is small


class FoldedNorms:
    """Norms as scales and shifts, read at every call, so that no change of theirs is missed.

    They are folded again only if a number differs, which on a GPU would be waited for.
    """

    def __init__(self) -> None:
        self._last: tuple[list[float], Tensor, list[ScaledSum]] | None = None

    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(self, norms: Sequence[Any]) -> list[ScaledSum]:
        values, eps = _joined(norms), [norm.eps for norm in norms]
        if self._last is not None and not values.is_cuda:
            last_eps, last, folded = self._last
            same_kind = values.dtype == last.dtype and values.device == last.device
            if eps == last_eps and same_kind and torch.equal(values, last):
                return folded
        channels = [len(norm.running_mean) for norm in norms]
        each: Any = eps[0]
        if len(set(eps)) > 1:
            each = torch.tensor(eps).repeat_interleave(torch.tensor(channels)).to(values.device)
        parts = (part.split(channels) for part in _affine(values, each).scaled_sum())
        folded = [ScaledSum(*norm) for norm in zip(*parts, strict=True)]
        self._last = eps, values, folded
        return folded


@torch.no_grad()
def affine_of(norm: nn.Module) -> Affine:
    """Of a BatchNorm; ValueError if its scale depends on the image, or it has no running statistics."""
    return _affine(_joined([norm]), norm.eps)  # type: ignore[arg-type]


def _joined(norms: Sequence[Any]) -> Tensor:
    """Variances, means, gammas and betas, (4, K), of K channels in all."""
    found = []
    for norm in norms:
        statistics, parameters = norm._buffers, norm._parameters
        mean, var = statistics.get('running_mean'), statistics.get('running_var')
        if not isinstance(norm, _BatchNorm) or mean is None or var is None:
            raise ValueError(
                'the inference and export forms need BatchNorms with running statistics, got '
                f'{type(norm).__name__}: its scale cannot be folded into the convolutions'
            )
        gamma, beta = parameters.get('weight'), parameters.get('bias')
        if gamma is None or beta is None:  # without them, or they are computed
            gamma = torch.ones_like(mean) if norm.weight is None else norm.weight
            beta = torch.zeros_like(mean) if norm.bias is None else norm.bias
        found.append((var, mean, gamma, beta))
    return torch.cat(list(chain.from_iterable(zip(*found, strict=True)))).view(4, -1)


def _affine(values: Tensor, eps: float | Tensor) -> Affine:
    var, mean, gamma, beta = values.to(torch.promote_types(values.dtype, torch.float32))
    scale = (var + eps).rsqrt() * gamma
    return Affine(scale, beta - mean * scale)
