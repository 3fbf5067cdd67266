"""One sweep over an iteration's output: s, the block's output and the pooled mean at once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from . import kernels
from .folding import Affine

STRIP = 1 << 20  # bytes of y computed at a time: small enough to stay in a core's cache


def update(
    hidden: Tensor,
    weight: Tensor,
    affine: Affine,
    state: Tensor,
    output: Tensor | None,
    shares: Tensor,
) -> Tensor:
    """y = relu(scale * (hidden @ weight.T) + shift); s += y; output += share * y.

    y never exists as a whole: strip by strip it is made, added and forgotten. The pooled mean needs
    y only, see ``mean(s_i) = mean(s_{i-1}) + mean(y_i)``.

    Args:
        hidden: (M, P, n), of M images with P pixels.
        weight: (C, n), of the last 1x1 convolution.
        affine: Of its norm.
        state: s, (M, P, C), changed in place.
        output: The same, or None where nothing is to be added.
        shares: (M,) float32, 1 - c_{i-1}.

    Returns:
        mean(y), (M, C) float32.
    """
    fold = weight.numel() <= state.numel()
    shift = affine.shift.to(hidden.dtype)
    if fold:
        weight = (weight * affine.scale.view(-1, 1)).to(hidden.dtype)
    else:
        weight, scale = weight.to(hidden.dtype), affine.scale.to(hidden.dtype)
    total = torch.zeros(len(state), state.shape[2], dtype=torch.float32, device=state.device)
    for images, part in strips(state):
        h = hidden[images, part].reshape(-1, hidden.shape[2])
        if fold:
            y = kernels.linear_relu(h, weight, shift)
        else:
            y = F.linear(h, weight)
            y = torch.addcmul(shift, y, scale, out=y).relu_()
        y = y.view(images.stop - images.start, -1, state.shape[2])
        state[images, part].add_(y)
        if output is not None:
            _add_weighted(output[images, part], y, shares[images])
        total[images] += y.sum(dim=1, dtype=torch.float32)
    return total.div_(state.shape[1])


def strips(state: Tensor) -> Iterator[tuple[slice, slice]]:
    """Images and pixels of each strip: several small images, or a part of a large one."""
    count, size, channels = state.shape
    if state.device.type != 'cpu':  # a GPU wants large kernels
        yield slice(0, count), slice(0, size)
        return
    pixels = max(1, STRIP // (channels * state.element_size()))
    images = max(1, pixels // max(size, 1))
    pixels = size if images > 1 else min(pixels, size)
    for first in range(0, count, images):
        for start in range(0, size, max(pixels, 1)):
            yield slice(first, min(first + images, count)), slice(start, min(start + pixels, size))


def _add_weighted(output: Tensor, y: Tensor, shares: Tensor) -> None:
    if len(shares) == 1 and not shares.is_cuda:  # a number is faster, but on a GPU waited for
        output.add_(y, alpha=float(shares))
    else:
        output.addcmul_(y, shares.to(y.dtype).view(-1, 1, 1))
