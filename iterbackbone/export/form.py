"""A backbone in its export form."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core.capture import is_traced
from ..core.macs import mac_table
from ..core.resnet import IterativeResNet
from ..core.stage import ConvNorm
from ..core.validation import check_int
from ..inference.folding import affine_of
from .block import ExportBlock


class ExportOutputs(NamedTuple):
    """What an exported network returns; K = stages * blocks.

    Attributes:
        features: As of the network.
        iterations: N, (B, K) int64.
        macs: () float32, executed for each image of the batch: halted ones wait for the last. Exact
            to 1e-6 of itself; some runtimes count int64 in 32 bits, which would overflow.
    """

    features: tuple[Tensor, ...]
    iterations: Tensor
    macs: Tensor


class ExportForm(nn.Module):
    """A trained backbone for ``torch.export`` and everything behind it.

    Shares the network's weights and runs by itself too, with the same results. Batches end when
    all their images have halted; halted images get weight 0.

    Args:
        network: In evaluation mode; its budget and the iterations its training reached are the
            highest of the form.
        fixed: Compute min(L, fixed) iterations of each block without a loop: the result is that of
            a budget of ``fixed`` iterations, the time is no longer adaptive.

    Raises:
        RuntimeError: ``network`` is in training mode, or its budget has no effect.
        TypeError, ValueError: ``network`` is no IterativeResNet, ``fixed`` no positive int, or a norm
            no BatchNorm with running statistics.
    """

    def __init__(self, network: IterativeResNet, fixed: int | None = None) -> None:
        super().__init__()
        if not isinstance(network, IterativeResNet):
            raise TypeError(f'network must be an IterativeResNet, got {type(network).__name__}')
        if network.training:
            raise RuntimeError('ExportForm needs a network in evaluation mode: call eval() first')
        fixed = None if fixed is None else check_int('fixed', fixed, 1)
        self.network = network
        self.fixed = fixed
        self.threshold = network.budget.threshold or 1.0 - network.epsilon
        network.check_budget()
        stages = list(zip(network.iterative_stages(), network.limits(), strict=True))
        stem = network.stem
        self.stem = folded(stem) if isinstance(stem, ConvNorm) else stem
        self.transitions = nn.ModuleList(folded(stage.transition) for stage, _ in stages)
        self.blocks = nn.ModuleList(
            ExportBlock(block, min(limit, fixed or limit), fixed is not None)
            for stage, limits in stages
            for block, limit in zip(stage.iterative_blocks(), limits, strict=True)
        )
        self.eval()

    @property
    def limits(self) -> tuple[int, ...]:
        """Highest iterations of each stage: those of the block that goes furthest."""
        limits = [block.limit for block in self._blocks()]
        each = len(limits) // len(self.transitions)
        return tuple(max(limits[k : k + each]) for k in range(0, len(limits), each))

    def _blocks(self) -> list[ExportBlock]:
        return list(self.blocks)  # type: ignore[arg-type]

    def forward(
        self,
        x: Tensor,
        max_iterations: Tensor | None = None,
        halting_threshold: Tensor | None = None,
    ) -> ExportOutputs:
        """Run.

        Args:
            x: Images, (B, in_channels, H, W), at least one.
            max_iterations: K of each stage, (stages,) int64; ``limits`` by default. No effect where
                the number is ``fixed``.
            halting_threshold: () float32; 1 - epsilon by default.

        Raises:
            RuntimeError: loops are traced, of which one run's iterations would be kept.
        """
        if self.fixed is None and is_traced():
            raise RuntimeError(
                'torch.jit.trace and torch.onnx.export(dynamo=False) keep no loops: use torch.export '
                'or torch.onnx.export(dynamo=True), or ExportForm(network, fixed=K)'
            )
        if max_iterations is None:
            max_iterations = torch.tensor(self.limits, device=x.device)
        if halting_threshold is None:
            halting_threshold = torch.tensor(self.threshold, device=x.device)
        # Read out here, not in the loops alone: OpenVINO copies what only a loop reads into it.
        halting_threshold = halting_threshold.clamp(min=0.0)
        # The counts' arithmetic serves tensors too.
        height, width = (torch.tensor(n, dtype=torch.float32, device=x.device) for n in x.shape[-2:])
        table = mac_table(self.network, (height, width))  # type: ignore[arg-type]
        x = self.network.pool(self.stem(x))
        features, iterations = [], []
        macs: Tensor = table.fixed  # type: ignore[assignment]
        blocks = zip(self._blocks(), table.per_iteration, table.per_score, strict=True)
        each = len(self.blocks) // len(self.transitions)
        for k, transition in enumerate(self.transitions):
            x = transition(x)
            for block, iteration, score in islice(blocks, each):
                limit = max_iterations[k].clamp(1, block.limit)
                end = block(x, limit, halting_threshold)
                x = end.output
                iterations.append(end.iterations)
                macs = macs + end.i * iteration + torch.minimum(end.i, limit - 1) * score
            features.append(x)
        returned = tuple(features[k] for k in self.network.out_indices)
        return ExportOutputs(returned, torch.stack(iterations, dim=1), macs)


def folded(layer: ConvNorm) -> nn.Sequential:
    """A convolution with its norm inside, and ReLU.

    Raises:
        ValueError: the norm is no BatchNorm with running statistics.
    """
    affine, old = affine_of(layer.norm), layer.conv
    conv = nn.Conv2d(
        old.in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
    )
    conv.weight.data = old.weight.detach() * affine.scale.view(-1, 1, 1, 1)
    conv.bias = nn.Parameter(affine.shift)
    return nn.Sequential(conv, nn.ReLU())
