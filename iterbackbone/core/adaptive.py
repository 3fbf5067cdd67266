"""What every network of iterative stages can do, whether a backbone or a RoI head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .budgeted import BudgetedModule
from .halting import HALTING_OPTIONS, HaltingUnit
from .layers import Layer
from .loop import BlockResult, RunSettings
from .normalization import set_norms_eval
from .trace import TracedModule
from .validation import check_bool, check_choice, check_options, check_real

EXECUTIONS = ('active', 'masked')  # see :mod:`iterbackbone.core.loop`
Network = TypeVar('Network', bound='AdaptiveModule')


class AdaptiveModule(TracedModule, BudgetedModule):
    """Base of networks made of :class:`~iterbackbone.core.stage.IterativeStage`.

    Arguments are those of :class:`~iterbackbone.core.resnet.IterativeResNet`.
    """

    of_regions = False  # whether the rows are regions of interest, not images
    first_stage = 0  # its index among a ResNet's

    def __init__(
        self,
        execution: str | Mapping[str, str],
        halting: Mapping[str, Any] | None,
        norm_eval: bool,
    ) -> None:
        super().__init__()
        if not isinstance(execution, Mapping):
            execution = dict(train=execution, eval=execution)
        if set(execution) != {'train', 'eval'}:
            raise ValueError(f"execution must have the keys 'train' and 'eval', got {list(execution)}")
        self.execution = dict(execution)
        for mode, value in execution.items():
            check_choice(f'execution[{mode!r}]', value, EXECUTIONS)
        self.halting_options = check_options('halting', halting, HALTING_OPTIONS)
        self.epsilon = check_real('halting.epsilon', self.halting_options.pop('epsilon', 0.01))
        if not 0.0 < self.epsilon < 1.0:
            raise ValueError(f'halting.epsilon must be between 0 and 1, exclusive, got {self.epsilon}')
        self.norm_eval = check_bool('norm_eval', norm_eval)

    def entry_layers(self) -> list[Layer]:
        """Convolutions and poolings before the first stage, in order."""
        return []

    def entry_reduction(self) -> int:
        """Stride of the first stage's input."""
        return 1

    def reductions(self) -> list[int]:
        """Stride of each stage's output: pixels of the module's input to one of its own."""
        strides = [stage.transition.conv.stride[0] for stage in self.iterative_stages()]
        return list(accumulate(strides, mul, initial=self.entry_reduction()))[1:]

    def hold_halting(self, held: bool = True) -> None:
        """Hold the halting scores at their initial constants (full depth by default), or release them.

        While held, the halting units receive zero gradient.
        """
        check_bool('held', held)
        for unit in self.halting_units():
            unit.held = held

    def halting_units(self) -> list[HaltingUnit]:
        """Those of all blocks that have one, first to last."""
        return [block.halting for block in self.iterative_blocks() if block.halting is not None]

    def force_depths(self, depths: Tensor | None) -> None:
        """Stop each row of the next calls after a given number of iterations, or no longer.

        A block's output is then the state of its row's last iteration. Halting units take no part
        and have no scores, limits hold as ever. Not in the state dict.

        Args:
            depths: (B, stages * blocks) int64, at least 1, for calls of B rows; kept on the CPU.
                None: rows halt by their scores again.
        """
        blocks = self.iterative_blocks()
        if depths is not None:
            if not isinstance(depths, Tensor) or depths.dtype != torch.int64:
                raise TypeError(f'depths must be an int64 tensor, got {depths!r}')
            if depths.ndim != 2 or depths.shape[1] != len(blocks):
                shape = tuple(depths.shape)
                raise ValueError(f'depths must have the shape (B, {len(blocks)}), got {shape}')
            if depths.numel() and int(depths.min()) < 1:
                raise ValueError(f'depths must be at least 1, got {int(depths.min())}')
            depths = depths.cpu()
        for k, block in enumerate(blocks):
            block.depths = None if depths is None else depths[:, k]

    @property
    def optimized(self) -> bool:
        """Whether evaluation runs in the inference form."""
        return self.iterative_stages()[0].transition.form is not None

    def optimize_for_inference(self: Network, enabled: bool = True) -> Network:
        """Run evaluation in the inference form: norms folded, states updated in place.

        Same features (to rounding), iterations and state dict in less time. ``train()`` ends it,
        as does ``enabled=False``; parts in training mode run as built meanwhile. Outputs are
        channels_last; gradients are not to be had. Changed weights count from the next call.

        Returns:
            The module.

        Raises:
            RuntimeError: the module is in training mode.
            ValueError: its evaluation is ``masked``, or a norm has no running statistics.
        """
        from ..inference.network_form import attach_forms, detach_forms  # the model runs without

        if not check_bool('enabled', enabled):
            detach_forms(self)
            return self
        if self.training:
            raise RuntimeError('optimize_for_inference needs evaluation mode: call eval() first')
        if (execution := self.execution['eval']) != 'active':
            allowed = "execution['eval'] == 'active'"
            raise ValueError(f'optimize_for_inference needs {allowed}, got {execution!r}')
        attach_forms(self)
        return self

    def train(self: Network, mode: bool = True) -> Network:
        super().train(mode)
        if mode and self.optimized:
            self.optimize_for_inference(False)
        if mode and self.norm_eval:
            set_norms_eval(self)
        return self

    def _run_stages(
        self, x: Tensor, input_size: tuple[int, int], entry: Sequence[nn.Module] = ()
    ) -> list[Tensor]:
        """Run the stages one after the other, keep the trace, return each stage's output.

        ``entry`` are layers before the first stage, ``input_size`` is (H, W) of the module's own input.
        """
        check_not_captured(type(self).__name__)
        self._warn_if_cost_unused()
        self.check_budget()
        self._forget_table_if_trained()
        limits = self.limits()
        threshold = None if self.training else self.budget.threshold
        settings = RunSettings(
            rows_leave=self.execution['train' if self.training else 'eval'] == 'active',
            threshold=1.0 - self.epsilon if threshold is None else threshold,
            record_scores=self.scores_are_recorded,
        )
        features: list[Tensor] = []
        results: list[BlockResult] = []
        for stage, stage_limits in zip(self.iterative_stages(), limits, strict=True):
            x, stage_results = stage(x, stage_limits, settings, entry)
            entry = ()
            features.append(x)
            results.extend(stage_results)
        self._keep_trace(results, [n for s in limits for n in s], input_size)
        return features


def check_not_captured(name: str) -> None:
    """Raise RuntimeError where a call is traced or exported; torch.compile may capture parts of one."""
    if torch.jit.is_tracing() or is_exporting():
        raise RuntimeError(
            f'{name} can be neither traced nor exported as it is, as every image decides how often its '
            'loops run: trace or export iterbackbone.export.ExportForm(network); for whole '
            'models there is tools/export_onnx.py'
        )


def is_exporting() -> bool:
    """Whether this is a call of torch.export, which torch before 2.7 does not tell."""
    ask = getattr(torch.compiler, 'is_exporting', None)
    return ask is not None and ask()
