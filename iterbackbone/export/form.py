"""A network in its export form, and what its own execution says."""

from __future__ import annotations

import math
from itertools import chain, islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..core.adaptive import AdaptiveModule
from ..core.block import IterativeBlock
from ..core.macs import mac_table
from ..core.stage import ConvNorm
from ..core.trace import HaltingTrace
from ..core.validation import check_int
from ..inference.folding import affine_of
from ..inference.network_form import only_built_in
from .block import ExportBlock


class ExportOutputs(NamedTuple):
    """What an exported network returns; K = stages * blocks.

    Attributes:
        features: As of the network; a RoI layer's output alone in a tuple.
        iterations: N, (B, K) int64.
        macs: () float32, executed for each image of the batch: halted ones wait for the last; of
            regions those of all. Exact to 1e-6; some runtimes count int64 in 32 bits.
    """

    features: tuple[Tensor, ...]
    iterations: Tensor
    macs: Tensor


class ExportForm(nn.Module):
    """A trained backbone or RoI layer for ``torch.export`` and everything behind it.

    Shares the network's weights and runs by itself too, with the same results. Batches end when
    all their images have halted; halted images get weight 0. Regions leave when they halt.

    Args:
        network: IterativeResNet or IterativeResLayer of float32 or float64 in evaluation mode, with
            BatchNorms, as built, its depths not forced. Its budget and the iterations its training
            reached are the highest of the form.
        fixed: Compute min(L, fixed) iterations of each block without a loop: the result is that of
            a budget of ``fixed`` iterations, the time is no longer adaptive.
        max_regions: Highest number of regions, needed where that is not known before the graph runs.

    RuntimeError, TypeError or ValueError where an argument is none of that.
    """

    def __init__(
        self, network: AdaptiveModule, fixed: int | None = None, max_regions: int | None = None
    ) -> None:
        super().__init__()
        if not isinstance(network, AdaptiveModule):
            raise TypeError(
                f'network must be an IterativeResNet or IterativeResLayer, got {type(network).__name__}'
            )
        if network.training:
            raise RuntimeError('ExportForm needs a network in evaluation mode: call eval() first')
        if (dtype := next(network.parameters()).dtype) not in (torch.float32, torch.float64):
            raise ValueError(f'network must be of float32 or float64, got {dtype}: call float() first')
        fixed = None if fixed is None else check_int('fixed', fixed, 1)
        self.network, self.fixed = network, fixed
        self.threshold = network.budget.threshold or 1.0 - network.epsilon
        network.check_budget()
        limits = [[min(n, fixed or n) for n in stage] for stage in network.limits()]
        self.limits = tuple(map(max, limits))  # of each stage: the block that goes furthest
        backbone: Any = network
        entry = [] if network.of_regions else [backbone.stem, backbone.pool]
        self.out_indices = (-1,) if network.of_regions else backbone.out_indices
        self.stem = nn.Sequential(*(_folded(x) if isinstance(x, ConvNorm) else x for x in entry))
        self.transitions = nn.ModuleList(_folded(s.transition) for s in network.iterative_stages())
        self.blocks = nn.ModuleList(
            ExportBlock(block, limit, fixed is not None, network.of_regions, max_regions)
            for block, limit in zip(
                network.iterative_blocks(), chain.from_iterable(limits), strict=True
            )
        )
        _check_as_built(network)
        self.eval()

    def forward(
        self, x: Tensor, max_iterations: Tensor | None = None, halting_threshold: Tensor | None = None
    ) -> ExportOutputs:
        """Run; not for tracers, which would keep one run's iterations: a RuntimeError.

        Args:
            x: Images, (B, in_channels, H, W), at least one; or features of regions, none included.
            max_iterations: K of each stage, (stages,) int64, else a ValueError; ``limits`` by
                default. No effect where the number is ``fixed``.
            halting_threshold: () float32, at most 1 - epsilon, which is the default.
        """
        if self.fixed is None and torch.jit.is_tracing():
            raise RuntimeError(
                'torch.jit.trace and torch.onnx.export(dynamo=False) keep no loops: use torch.export '
                'or torch.onnx.export(dynamo=True), or ExportForm(network, fixed=K)'
            )
        if max_iterations is not None and getattr(max_iterations, 'shape', None) != (len(self.limits),):
            raise ValueError(
                f'max_iterations must be a tensor of {len(self.limits)} numbers, got {max_iterations}'
            )
        if max_iterations is None or self.fixed is not None:
            max_iterations = torch.tensor(self.limits, device=x.device)
        if halting_threshold is None:
            halting_threshold = torch.tensor(self.threshold, device=x.device)
        # Read out here, not in the loops alone: OpenVINO copies what only a loop reads into it.
        halting_threshold = halting_threshold.clamp(min=0.0)
        # The counts' arithmetic serves tensors too.
        height, width = (torch.tensor(n, dtype=torch.float32, device=x.device) for n in x.shape[-2:])
        table = mac_table(self.network, (height, width))  # type: ignore[arg-type]
        rows = x.shape[0] if self.network.of_regions else 1
        macs: Tensor = table.fixed * rows  # type: ignore[assignment]
        x = self.stem(x)
        features, iterations = [], []
        blocks: Any = zip(self.blocks, table.per_iteration, table.per_score, strict=True)
        for k, transition in enumerate(self.transitions):
            x = transition(x)
            for block, iteration, score in islice(blocks, len(self.blocks) // len(self.transitions)):
                limit = max_iterations[k].clamp(1, block.limit)
                end = block(x, limit, halting_threshold)
                x = end.output
                iterations.append(end.iterations)
                ran = block.executed(end)
                macs = macs + ran.sum() * iteration + torch.minimum(ran, limit - 1).sum() * score
            features.append(x)
        returned = tuple(features[k] for k in self.out_indices)
        return ExportOutputs(returned, torch.stack(iterations, dim=1), macs)


def _check_as_built(network: AdaptiveModule) -> None:
    """Refuse what a call would do, but the form would not: it reads weights alone."""
    for name, part in network.named_modules():
        if isinstance(part, (ConvNorm, IterativeBlock)) and not only_built_in(part):
            raise ValueError(
                f'network.{name} must be as built to be exported: forward hooks, other layers and '
                'biases of convolutions would be lost'
            )
        if isinstance(part, IterativeBlock) and part.depths is not None:
            raise ValueError(f'network.{name} must have no forced depths to be exported')


def _folded(layer: ConvNorm) -> nn.Sequential:
    """A convolution with its norm inside, and ReLU."""
    affine, old = affine_of(layer.norm), layer.conv
    geometry: Any = (old.kernel_size, old.stride, old.padding)
    conv = nn.Conv2d(old.in_channels, old.out_channels, *geometry)
    conv.weight.data = old.weight.detach() * affine.scale.view(-1, 1, 1, 1)
    conv.bias = nn.Parameter(affine.shift)
    return nn.Sequential(conv, nn.ReLU())


@torch.no_grad()
def reference(form: ExportForm, x: Tensor) -> tuple[ExportOutputs, float]:
    """The form's outputs by its network's own execution and budget, and :func:`margin`."""
    network = form.network
    recorded = network.scores_are_recorded
    network.record_scores()
    try:
        features = network(x)
        trace = network.trace
    finally:
        network.record_scores(recorded)
    rows = trace.iterations
    if form.fixed is not None:
        rows = rows.new_tensor(trace.limits).expand_as(rows)
    features = (features,) if network.of_regions else tuple(features)
    rows = rows if network.of_regions else rows.amax(dim=0, keepdim=True)
    table = mac_table(network, trace.input_size)
    macs = sum(table.total(row, trace.limits) for row in rows.tolist())
    outputs = ExportOutputs(features, trace.iterations, torch.tensor(float(macs)))
    return outputs, margin(trace, form.threshold)


def margin(trace: HaltingTrace, threshold: float) -> float:
    """Least distance of a sum of halting scores to ``threshold``; infinite where none was read."""
    assert trace.scores is not None
    sums = [scores[:, :-1].cumsum(dim=1) for scores in trace.scores]  # the last score is always 1
    distances = torch.cat([(each - threshold).abs().flatten() for each in sums])
    return float(distances[distances.isfinite()].min()) if distances.isfinite().any() else math.inf
