"""IterativeResLayer: one iterative stage on RoI features, for detectors with a C4 head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .adaptive import AdaptiveModule
from .normalization import NormLayer
from .resnet import checked_iterations, initialise_convolutions
from .stage import IterativeStage
from .validation import check_int


class IterativeResLayer(AdaptiveModule):
    """A single stage of an :class:`~iterbackbone.core.resnet.IterativeResNet` on its own.

    The rows are regions of interest: each decides for itself when to halt. The stage keeps
    its number in the state dict (``stages.3.*``), so a classification checkpoint serves it.

    Arguments that are not listed are those of ``IterativeResNet``.

    Args:
        stage: Index of the stage, from 0; 3 in the C4 detector.
        stride: Of its transition.
        dilation: Of its 3x3 convolutions.
        max_iterations: L, instead of that of ``depth``.
    """

    of_regions = True

    def __init__(
        self,
        depth: int = 152,
        stage: int = 3,
        stride: int = 2,
        dilation: int = 1,
        base_channels: int = 64,
        expansion: int = 4,
        max_iterations: int | None = None,
        blocks_per_stage: int = 1,
        depthwise: bool = False,
        last_gamma: float = 0.1,
        last_relu: bool = False,
        norm_layer: NormLayer = nn.BatchNorm2d,
        norm_eval: bool = False,
        with_cp: bool = False,
        halting: Mapping[str, Any] | None = None,
        execution: str | Mapping[str, str] = 'active',
        budget: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(execution, halting, norm_eval)
        self.first_stage = check_int('stage', stage, 1, 3)
        width = check_int('base_channels', base_channels, 1) * 2**self.first_stage
        expansion = check_int('expansion', expansion, 1)
        if max_iterations is None:
            max_iterations = checked_iterations(depth, None, 4)[self.first_stage]
        layer = IterativeStage(
            width // 2 * expansion,
            width,
            expansion,
            check_int('stride', stride, 1),
            check_int('max_iterations', max_iterations, 1),
            blocks_per_stage,
            norm_layer,
            dilation=check_int('dilation', dilation, 1),
            depthwise=depthwise,
            with_cp=with_cp,
            last_gamma=last_gamma,
            last_relu=last_relu,
            **self.halting_options,
        )
        self.stages = nn.ModuleDict({str(self.first_stage): layer})
        initialise_convolutions(self)
        self.train()  # applies norm_eval
        self._start_with(budget)

    def iterative_stages(self) -> list[IterativeStage]:
        return list(self.stages.values())  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """RoI features (R, C, H, W) -> (R, e*n, H/stride, W/stride); R may be 0."""
        return self._run_stages(x, (x.shape[-2], x.shape[-1]))[-1]
