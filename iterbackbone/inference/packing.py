"""A kernel laid out as oneDNN wants it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .kernels import fused

PAYS_AT = 4  # uses: laying out costs what it saves in about three


class Kernel:
    """The kernel of a convolution during one run of the loop, which uses it again and again.

    oneDNN lays a kernel out at every call. Once features of one shape have come often enough it
    is laid out for them and kept, to the end of the run only: a copy of one kernel at a time.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        self.conv = conv
        self._weight = conv.weight
        self._shape: torch.Size | None = None
        self._uses = 0

    def __call__(self, x: Tensor) -> Tensor:
        """For ``x``, (B, C, H, W), in its type."""
        if x.shape != self._shape:  # a kernel laid out for another shape is slow
            self._weight, self._shape, self._uses = self.conv.weight.to(x.dtype), x.shape, 0
        self._uses += 1
        if self._uses == PAYS_AT and fused(x):
            conv = self.conv
            self._weight = torch.ops.mkldnn._reorder_convolution_weight(
                self._weight, conv.padding, conv.stride, conv.dilation, conv.groups, list(x.shape)
            )
        return self._weight
