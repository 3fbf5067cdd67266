"""A stage: a transition to the stage's width and stride, then its iterative blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .block import IterativeBlock, observed
from .iteration import recomputed
from .loop import BlockResult, RunSettings
from .normalization import NormLayer, normalise
from .validation import check_bool, check_choice, check_int

STEMS = {'imagenet': (7, 2), 'cifar': (3, 1)}  # kernel and stride


class ConvNorm(nn.Module):
    """Convolution -> norm -> ReLU."""

    form: Any = None  # what runs instead in inference, see iterbackbone.inference

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        norm_layer: NormLayer,
    ) -> None:
        super().__init__()
        if not callable(norm_layer):
            raise TypeError(f'norm_layer must be a function of the channels, got {norm_layer!r}')
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.norm = norm_layer(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.form is not None and self.form.serves(self):
            return self.form(self, x)
        return F.relu(normalise(self.norm, self.conv(x)), inplace=True)


def make_stem(
    stem: str, in_channels: int, width: int, norm_layer: NormLayer
) -> tuple[ConvNorm, nn.Module]:
    """The first layers of a ResNet, and what stands between them and the first stage."""
    check_choice('stem', stem, STEMS)
    in_channels = check_int('in_channels', in_channels, 1)
    pool = nn.MaxPool2d(3, stride=2, padding=1) if stem == 'imagenet' else nn.Identity()
    return ConvNorm(in_channels, width, *STEMS[stem], norm_layer), pool


class IterativeStage(nn.Module):
    """Strided 1x1 transition and ``num_blocks`` iterative blocks, each with its own L.

    The paper leaves the layer between stages open; the 1x1 transition, of this ``stride``, is the one
    at which its parameter counts come out. ``block_options`` are further arguments of the blocks.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        expansion: int,
        stride: int,
        max_iterations: int,
        num_blocks: int,
        norm_layer: NormLayer,
        with_cp: bool = False,
        **block_options: object,
    ) -> None:
        super().__init__()
        expansion = check_int('expansion', expansion, 1)
        self.out_channels = width * expansion
        self.with_cp = check_bool('with_cp', with_cp)
        self.transition = ConvNorm(in_channels, self.out_channels, 1, stride, norm_layer)
        self.blocks = nn.ModuleList(
            IterativeBlock(
                width,
                expansion,
                max_iterations,
                norm_layer,
                with_cp=with_cp,
                **block_options,  # type: ignore[arg-type]
            )
            for _ in range(check_int('blocks_per_stage', num_blocks, 1))
        )

    def iterative_blocks(self) -> list[IterativeBlock]:
        return list(self.blocks)  # type: ignore[arg-type]

    def forward(
        self,
        x: Tensor,
        limits: list[int],
        settings: RunSettings,
        entry: Sequence[nn.Module] = (),
    ) -> tuple[Tensor, list[BlockResult]]:
        """(B, C, H, W) -> (B, e*n, H/stride, W/stride), rounded up, and each block's result.

        ``entry`` are layers to run first, recomputed together with the transition if ``with_cp``.
        """
        layers = [*entry, self.transition]

        def in_turn(x: Tensor) -> Tensor:
            for layer in layers:
                x = layer(x)
            return x

        if self.with_cp and torch.is_grad_enabled():
            x = recomputed(in_turn, chain.from_iterable(layer.modules() for layer in layers), x)
        else:
            x = in_turn(x)
        results = []
        before = [self.transition, *self.blocks][:-1]
        for previous, block, limit in zip(before, self.blocks, limits, strict=True):
            if block.form is not None and observed(previous):
                x = x.clone()  # the form overwrites its input, which a hook may have kept
            result = block(x, limit, settings)
            x = result.output
            results.append(result)
        return x, results
