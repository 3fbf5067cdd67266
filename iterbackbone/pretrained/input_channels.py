"""Weights of a first convolution for images of other than three channels."""

from __future__ import annotations

from torch import Tensor


def adapted(weight: Tensor, channels: int) -> Tensor:
    """A kernel for three channels, for another number of them, as timm's ``adapt_input_conv``.

    One channel: the sum over the three. More: the three repeated, scaled so that an image of
    equal channels gives the same output.

    Args:
        weight: (N, 3, k, k).
        channels: Of the images.

    Returns:
        (N, channels, k, k).

    Raises:
        ValueError: the kernel is not for three channels.
    """
    theirs = weight.shape[1]
    if channels == theirs:
        return weight
    if theirs != 3:
        raise ValueError(
            f'in_chans must be {theirs} with weights for {theirs} channels, got {channels}'
        )
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    return weight.repeat(1, -(-channels // 3), 1, 1)[:, :channels] * (3 / channels)
