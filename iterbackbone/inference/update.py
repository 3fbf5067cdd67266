"""One sweep over an iteration's output: s, the block's output and the pooled sum at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STRIP = 1 << 20  # bytes of y computed at a time: small enough to stay in a core's cache


def update(
    hidden: Tensor,
    y_of: Callable[[Tensor], Tensor],
    state: Tensor,
    output: Tensor | None,
    onto: Tensor,
    shares: Tensor,
    halted: Tensor | None,
) -> Tensor:
    """output = onto + share * y; s += y; returns the sum of y over the pixels, (M, C) float32.

    y never exists as a whole: strip by strip it is made, added and forgotten.

    Args:
        hidden: (M, P, n), of M images with P pixels.
        y_of: From any K of these pixels, (K, n), to their y, (K, C), which is changed.
        state: s, (M, P, C), changed in place.
        output: The same, or None where nothing is to be added.
        onto: The same; may be ``state`` or ``output``.
        shares: (M,) float32, 1 - c_{i-1}.
        halted: (M,) bool, images whose y is taken for 0; None for none.
    """
    parts = _strips(state)
    if len(parts) == 1:
        return _sweep(hidden, y_of, state, output, onto, shares, halted)
    total = torch.zeros(len(state), state.shape[2], dtype=torch.float32, device=state.device)
    for part in parts:
        rows = None if output is None else output[part]
        stop = None if halted is None else halted[part[0]]
        total[part[0]] += _sweep(
            hidden[part], y_of, state[part], rows, onto[part], shares[part[0]], stop
        )
    return total


def _strips(state: Tensor) -> list[tuple[slice, slice]]:
    """Images and pixels of each strip: several small images, or a part of a large one."""
    count, size, channels = state.shape
    if state.device.type != 'cpu' or state.numel() == 0:  # a GPU wants large kernels
        return [(slice(0, count), slice(0, size))]
    pixels = max(1, STRIP // (channels * state.element_size()))
    images = max(1, pixels // size)
    pixels = size if images > 1 else min(pixels, size)
    return [
        (slice(first, min(first + images, count)), slice(start, min(start + pixels, size)))
        for first in range(0, count, images)
        for start in range(0, size, pixels)
    ]


def _sweep(
    hidden: Tensor,
    y_of: Callable[[Tensor], Tensor],
    state: Tensor,
    output: Tensor | None,
    onto: Tensor,
    shares: Tensor,
    halted: Tensor | None,
) -> Tensor:
    y = y_of(hidden.flatten(0, 1)).view_as(state)
    if halted is not None:  # a share of 0 would not keep an infinite y out of the output
        y.masked_fill_(halted.view(-1, 1, 1), 0.0)
    if output is not None:
        if len(shares) == 1 and not shares.is_cuda:  # a number is faster, but on a GPU waited for
            torch.add(onto, y, alpha=float(shares), out=output)
        else:
            torch.addcmul(onto, y, shares.to(y.dtype).view(-1, 1, 1), out=output)
    state.add_(y)
    return y.sum(dim=1, dtype=torch.float32)
