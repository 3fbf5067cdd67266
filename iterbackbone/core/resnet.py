"""IterativeResNet: a ResNet whose stages are weight-shared, adaptive loops.

Leroux et al., "Iterative neural networks for adaptive inference on resource-constrained
devices", Neural Computing and Applications, 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from .adaptive import AdaptiveModule
from .entry import Entry
from .layers import Layer
from .normalization import NormLayer, set_norms_eval
from .stage import ConvNorm, IterativeStage, make_stem
from .validation import ascending_stages, check_choice, check_int, check_int_tuple

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class FeatureInfo(list[dict[str, Any]]):
    """One dict for each returned map: ``num_chs``, ``reduction`` (its stride), ``module``."""

    def channels(self) -> list[int]:
        return [info['num_chs'] for info in self]

    def reduction(self) -> list[int]:
        return [info['reduction'] for info in self]

    def module_name(self) -> list[str]:
        return [info['module'] for info in self]


class IterativeResNet(AdaptiveModule):
    """Adaptive, weight-shared ResNet.

    TypeError and ValueError name the argument, the value and what is allowed.

    Args:
        depth: 50, 101 or 152: the ResNet whose blocks per stage are the maximum iterations.
        in_channels: Channels of the input image.
        stem: ``'imagenet'`` (7x7/2, norm, ReLU, 3x3/2 max pooling) or ``'cifar'`` (3x3/1).
        entry: Early stages of another network, in place of the stem and its pooling; frozen unless
            given as ``Entry(network, frozen=False)``. See :class:`~iterbackbone.core.entry.Entry`.
        base_channels: n of the first stage and width of the stem; doubles each stage.
        expansion: e; a stage's output has e * n channels. 4 in the paper, 2 for "small".
        max_iterations: L per stage, instead of those of ``depth``; applies to each block.
        blocks_per_stage: Iterative blocks per stage; 2 for the paper's "double".
        depthwise: Whether 3x3 convolutions are depthwise-separable.
        last_gamma: Initial gamma of the last norm of each iteration; 1 in the paper, with which depth
            hardly trains. The first training call restores it where an initialisation of the model
            around this set all gammas to 1; loaded weights stay.
        last_relu: Whether a ReLU follows the last norm of an iteration, as in the paper. Without
            it outputs can lower the state, too, and networks are more accurate.
        num_stages: 1 to 4.
        strides: Stride of each stage's transition; (1, 2, 2, 2).
        dilations: Dilation of each stage's 3x3 convolution; all 1.
        out_indices: Stages whose output is returned, ascending, the last one among them.
        frozen_stages: -1 none, 0 the stem, k the stem and the first k stages.
        norm_layer: ``channels -> nn.Module``, called once for each iteration.
        norm_eval: Whether BatchNorms keep their running statistics during training.
        with_cp: Recompute stem, transitions and iterations in the backward pass.
        halting: ``hidden`` (64), ``bias`` (None: full depth at the start), ``epsilon`` (0.01),
            ``layer_norm`` (False; see :class:`~iterbackbone.core.halting.HaltingUnit`). Units keep
            their start whatever initialises the linear layers of a model around this.
        execution: ``'active'``, ``'masked'``, or ``dict(train=..., eval=...)``.
        budget: Arguments of :meth:`set_budget`.

    Attributes:
        pretrained_cfg: Facts on the weights of its name, by ``create_model``, in timm's words.

    Example:
        >>> backbone = IterativeResNet(depth=50).eval()
        >>> features = backbone(torch.rand(1, 3, 224, 224))  # tuple of 4, strides 4 to 32
        >>> backbone.iterations()  # (1, 4): iterations of each stage
    """

    def __init__(
        self,
        depth: int = 152,
        in_channels: int = 3,
        stem: str = 'imagenet',
        entry: nn.Module | None = None,
        base_channels: int = 64,
        expansion: int = 4,
        max_iterations: Sequence[int] | None = None,
        blocks_per_stage: int = 1,
        depthwise: bool = False,
        last_gamma: float = 0.1,
        last_relu: bool = False,
        num_stages: int = 4,
        strides: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        norm_layer: NormLayer = nn.BatchNorm2d,
        norm_eval: bool = False,
        with_cp: bool = False,
        halting: Mapping[str, Any] | None = None,
        execution: str | Mapping[str, str] = 'active',
        budget: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(execution, halting, norm_eval)
        self.pretrained_cfg: dict[str, Any] = {}
        num_stages = check_int('num_stages', num_stages, 1, 4)
        width = check_int('base_channels', base_channels, 1)
        channels = width
        self.stem: ConvNorm | Entry
        if entry is None:
            self.stem, self.pool = make_stem(stem, in_channels, width, norm_layer)
        else:
            self.stem = entry if isinstance(entry, Entry) else Entry(entry, in_channels)
            self.pool = nn.Identity()
            channels = self.stem.out_channels
        iterations = checked_iterations(depth, max_iterations, num_stages)
        strides = (1, 2, 2, 2)[:num_stages] if strides is None else strides
        strides = check_int_tuple('strides', strides, num_stages, 1)
        dilations = (1,) * num_stages if dilations is None else dilations
        dilations = check_int_tuple('dilations', dilations, num_stages, 1)
        out_indices = range(num_stages) if out_indices is None else out_indices
        self.out_indices = ascending_stages(out_indices, num_stages)
        if (last := self.out_indices[-1]) != num_stages - 1:
            raise ValueError(
                f'out_indices must contain the last stage, got {self.out_indices} of {num_stages} '
                f'stages: what no output needs would run untrained; set num_stages={last + 1}'
            )
        self.frozen_stages = check_int('frozen_stages', frozen_stages, -1, num_stages)
        self.stages = nn.ModuleList()
        for k in range(num_stages):
            stage = IterativeStage(
                channels,
                width * 2**k,
                expansion,
                strides[k],
                iterations[k],
                blocks_per_stage,
                norm_layer,
                dilation=dilations[k],
                depthwise=depthwise,
                with_cp=with_cp,
                last_gamma=last_gamma,
                last_relu=last_relu,
                **self.halting_options,
            )
            channels = stage.out_channels
            self.stages.append(stage)
        if entry is None:
            initialise_convolutions(self.stem)
        initialise_convolutions(self.stages)
        self.train()  # applies norm_eval and frozen_stages
        self._start_with(budget)

    def iterative_stages(self) -> list[IterativeStage]:
        return list(self.stages)  # type: ignore[arg-type]

    def entry_layers(self) -> list[Layer]:
        if isinstance(self.stem, Entry):
            return self.stem.layers
        stem = Layer.of(self.stem.conv, 1)
        return [stem, Layer.of(self.pool, self.stem.conv.stride[0])]

    def entry_reduction(self) -> int:
        if isinstance(self.stem, Entry):
            return self.stem.reduction
        return self.stem.conv.stride[0] * getattr(self.pool, 'stride', 1)

    @property
    def feature_info(self) -> FeatureInfo:
        """Channels and reduction of the maps of ``out_indices``, in timm's words."""
        channels, reductions = [stage.out_channels for stage in self.stages], self.reductions()
        return FeatureInfo(
            dict(num_chs=channels[k], reduction=reductions[k], module=f'stages.{k}')
            for k in self.out_indices
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images (B, in_channels, H, W), B may be 0, to a feature map for each of ``out_indices``.

        They are (B, e*n, H/stride, W/stride), rounded up. A traced call raises RuntimeError.
        """
        input_size = (x.shape[-2], x.shape[-1])
        if isinstance(self.stem, Entry):  # of others, so it is never recomputed
            features = self._run_stages(self.stem(x), input_size)
        else:
            features = self._run_stages(x, input_size, [self.stem, self.pool])
        return tuple(features[k] for k in self.out_indices)

    def train(self, mode: bool = True) -> IterativeResNet:
        super().train(mode)
        for frozen in [self.stem, *self.stages][: self.frozen_stages + 1]:
            frozen.requires_grad_(False)
            set_norms_eval(frozen)
        return self


def initialise_convolutions(module: nn.Module) -> None:
    """He initialisation of every convolution, as in torchvision's and mmdet's ResNets."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, mode='fan_out', nonlinearity='relu')


def checked_iterations(
    depth: int, max_iterations: Sequence[int] | None, num_stages: int
) -> tuple[int, ...]:
    """L of each stage, from ``max_iterations`` or else from ``depth``."""
    if max_iterations is not None:
        return check_int_tuple('max_iterations', max_iterations, num_stages, 1)
    check_choice('depth', depth, DEPTHS)
    return DEPTHS[depth][:num_stages]
