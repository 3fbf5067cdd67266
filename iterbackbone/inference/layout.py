"""Features as images and as rows of pixels; both views of one memory in channels_last order."""

from __future__ import annotations

from torch import Tensor

Size = tuple[int, int]  # (H, W)


def pixels(x: Tensor) -> Tensor:
    """(M, C, H, W) -> (M, H * W, C) contiguous; copies what is not channels_last."""
    return x.permute(0, 2, 3, 1).contiguous().flatten(1, 2)


def images(x: Tensor, size: Size) -> Tensor:
    """(M, H * W, C) contiguous -> (M, C, H, W), a channels_last view."""
    return x.unflatten(1, size).permute(0, 3, 1, 2)
