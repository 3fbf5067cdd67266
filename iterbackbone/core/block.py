"""The iterative block: one bottleneck whose weights serve every iteration (paper, Figure 3)."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

from .depths import run_to_depths
from .halting import HALTING_OPTIONS, HaltingUnit
from .iteration import recomputing, storing
from .loop import BlockResult, RunSettings, run_iterations
from .normalization import (
    NormLayer,
    any_on_ranks,
    checked_last_gamma,
    last_trained,
    normalise,
    per_iteration,
    scale_norms,
    synchronises,
)
from .validation import check_bool, check_options


class DepthwiseSeparableConv(nn.Module):
    """3x3 depthwise convolution -> norm -> ReLU -> 1x1 convolution, (B, n, H, W) -> same."""

    def __init__(self, width: int, max_iterations: int, norm_layer: NormLayer, dilation: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            width, width, 3, padding=dilation, dilation=dilation, groups=width, bias=False
        )
        self.norm = per_iteration(norm_layer, width, max_iterations)
        self.pointwise = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor, i: int) -> Tensor:
        return self.pointwise(F.relu(normalise(self.norm[i], self.depthwise(x)), inplace=True))


class IterativeBlock(nn.Module):
    """``s_i = s_{i-1} + F_i(s_{i-1})`` until the halting scores add up to one.

    F_i is 1x1 (e*n -> n), 3x3 (n -> n), 1x1 (n -> e*n), a norm of iteration i and a ReLU
    behind each (behind the last one only if ``last_relu``). The convolutions are shared by all
    iterations, the norms are not. n is the ``width``, e the ``expansion``; other arguments are those of
    :class:`~iterbackbone.core.IterativeResNet`, ``halting`` those of a :class:`.HaltingUnit`.
    """

    form: Any = None  # what runs instead in inference, see iterbackbone.inference
    depths: Tensor | None = None  # where rows of the next calls stop, (B,) int64 on the CPU
    trained: int | None = None  # iterations; None until the norms' counts were read

    def __init__(
        self,
        width: int,
        expansion: int,
        max_iterations: int,
        norm_layer: NormLayer,
        dilation: int = 1,
        depthwise: bool = False,
        with_cp: bool = False,
        last_gamma: float = 0.1,
        last_relu: bool = False,
        **halting: Any,
    ) -> None:
        super().__init__()
        channels = width * expansion
        self.max_iterations = max_iterations
        self.with_cp = with_cp
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.norm1 = per_iteration(norm_layer, width, max_iterations)
        if check_bool('depthwise', depthwise):
            self.conv2: nn.Module = DepthwiseSeparableConv(width, max_iterations, norm_layer, dilation)
        else:
            self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm2 = per_iteration(norm_layer, width, max_iterations)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.norm3 = per_iteration(norm_layer, channels, max_iterations)
        self.last_relu = check_bool('last_relu', last_relu)
        self.last_gamma = checked_last_gamma(last_gamma, last_relu)
        scale_norms(self.norm3, self.last_gamma)
        self._start_is_due = self.last_gamma != 1.0
        options = check_options('halting', halting, HALTING_OPTIONS)
        self.halting: HaltingUnit | None = None
        if max_iterations > 1:
            self.halting = HaltingUnit(channels, max_iterations, **options)

    def layers(self) -> list[tuple[nn.Conv2d, nn.ModuleList]]:
        """The convolutions in order, each with the norms behind it: one an iteration."""
        conv2: Any = self.conv2
        middle = [(conv2, self.norm2)]
        if isinstance(conv2, DepthwiseSeparableConv):
            middle = [(conv2.depthwise, conv2.norm), (conv2.pointwise, self.norm2)]
        return [(self.conv1, self.norm1), *middle, (self.conv3, self.norm3)]

    def norms(self, i: int) -> list[nn.Module]:
        """The norms of iteration ``i``."""
        return [norms[i] for _, norms in self.layers()]

    def residual(self, state: Tensor, i: int) -> Tensor:
        """y_i = F_i(s_{i-1}): (B, e*n, H, W) -> same (Eq. 1.2), i from 0."""
        x = F.relu(normalise(self.norm1[i], self.conv1(state)), inplace=True)
        x = self.conv2(x, i) if isinstance(self.conv2, DepthwiseSeparableConv) else self.conv2(x)
        x = F.relu(normalise(self.norm2[i], x), inplace=True)
        y = normalise(self.norm3[i], self.conv3(x))
        return F.relu(y, inplace=True) if self.last_relu else y

    def forward(self, state: Tensor, limit: int, settings: RunSettings) -> BlockResult:
        """Iterate from s_0, (B, e*n, H, W), at most ``limit`` times, L' <= L."""
        if self._start_is_due and self.training:
            self._keep_start()
        if self.form is not None and self.depths is None and self.form.serves(self):
            state = state.clone() if observed(self) else state  # which the form overwrites
            return self.form(self, state, limit, settings)
        if self.depths is not None and len(self.depths) != len(state):
            raise ValueError(f'depths must have a row for each of {len(state)}, got {len(self.depths)}')
        recompute = self.with_cp and torch.is_grad_enabled()
        iteration = recomputing(self.residual, self.norms) if recompute else storing(self.residual)
        if synchronises(self.norm1[0]):  # ranks that share statistics must run the same iterations
            any_running = partial(any_on_ranks, norm=self.norm1[0])
            settings = settings._replace(rows_leave=False, any_running=any_running)
        if self.depths is not None:
            result = run_to_depths(iteration, state, limit, self.depths, settings)
        else:
            unit: Any = self.halting  # None where L is 1: no score is asked for
            result = run_iterations(iteration, unit, state, limit, settings)
        if self.training and torch.is_grad_enabled():
            result = result._replace(output=self._connect_unused(result.output, result.steps))
        return result

    def trained_iterations(self, name: str) -> int:
        """L, or fewer where training has never reached the last iterations: a warning has the ``name``.

        The norms count the batches they have seen.
        """
        if self.trained is None:  # read once: on a GPU the read waits for the device
            most = self.max_iterations
            self.trained = most if self.norm1[0].training else last_trained(self.norm1) or most
            if self.trained < most:
                warnings.warn(
                    f'{name} ran at most {self.trained} of its {most} iterations in training, so the '
                    'BatchNorm statistics of the others mean nothing: evaluation stops at '
                    f'{self.trained}',
                    stacklevel=2,
                )
        return self.trained

    def train(self, mode: bool = True) -> IterativeBlock:
        self.trained = None
        return super().train(mode)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        self.trained = None
        if any(key.startswith(f'{prefix}norm3.') for key in state_dict):
            self._start_is_due = False
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def _keep_start(self) -> None:
        """Undo what many models' ``init_weights`` do once to all norms: set gamma to 1."""
        self._start_is_due = False
        if all((norm.weight == 1.0).all() for norm in self.norm3):  # type: ignore[union-attr]
            scale_norms(self.norm3, self.last_gamma)

    def _connect_unused(self, output: Tensor, steps: int) -> Tensor:
        """Add a zero of every parameter that this pass may not have used, as a held halting unit's.

        So all ranks of a DistributedDataParallel reduce the same ones without find_unused_parameters.
        """
        modules = [norm for i in range(steps, self.max_iterations) for norm in self.norms(i)]
        if self.halting is not None:
            modules.append(self.halting)
        parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        if not parameters:
            return output
        none_of_them = torch.cat([p.reshape(-1) for p in parameters])[:0]
        return output + none_of_them.sum().to(output.dtype)


def observed(module: nn.Module) -> bool:
    """Whether a forward hook sees what goes into the module or comes out of it."""
    everywhere = global_hooks._global_forward_hooks or global_hooks._global_forward_pre_hooks
    return bool(everywhere or module._forward_hooks or module._forward_pre_hooks)
