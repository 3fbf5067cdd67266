"""How far the blocks of a network may iterate: budgets, their calibration, what training reached."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from .block import IterativeBlock
from .budget_table import BudgetTable, Setting
from .halting import restart
from .stage import IterativeStage
from .validation import check_int, check_int_tuple, check_options, check_real

BUDGET_OPTIONS = ('max_iterations', 'halting_threshold', 'share')
TABLE_KEY = 'budget_table'
NOT_FITTED = 'load a checkpoint that tools/fit_halting.py wrote; training ends a fit'


class Budget(NamedTuple):
    """Limits that hold in evaluation only, see :meth:`BudgetedModule.set_budget`."""

    caps: tuple[int, ...] | None = None  # highest iterations per stage
    threshold: float | None = None  # replaces 1 - epsilon as the sum at which a row halts
    share: float | None = None  # of the full MACs, which the fitted halting is to meet


class BudgetedModule(nn.Module):
    """Base of networks of iterative stages: their limits, in training and under a budget."""

    epsilon: float  # a row halts once its scores add up to 1 - epsilon

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget()
        self.budget_table: BudgetTable | None = None  # of fitted halting
        self._share_caps: tuple[int, ...] | None = None

    def iterative_stages(self) -> list[IterativeStage]:
        raise NotImplementedError

    def iterative_blocks(self) -> list[IterativeBlock]:
        return [block for stage in self.iterative_stages() for block in stage.iterative_blocks()]

    @property
    def max_iterations(self) -> tuple[int, ...]:
        """L of each block, (stages * blocks,)."""
        return tuple(block.max_iterations for block in self.iterative_blocks())

    def set_budget(
        self,
        max_iterations: int | Sequence[int] | None = None,
        halting_threshold: float | None = None,
        share: float | None = None,
    ) -> None:
        """Limit compute in evaluation: the accuracy/compute knob at deployment.

        Not part of the state dict; training ignores it; without arguments it is lifted.

        Args:
            max_iterations: Cap K, one for all stages or one each: L' = min(L, K), and the
                last allowed iteration takes the whole remainder, as at L.
            halting_threshold: t in (0, 1 - epsilon]: a row halts once its scores add up to t.
            share: Mean MACs over those of all iterations that the fitted halting is to meet, as
                calibrated when it was fitted (:mod:`iterbackbone.fitting`).

        Raises:
            ValueError: a value is not allowed, such as a ``share`` that was not calibrated.
        """
        budget = self._checked_budget(max_iterations, halting_threshold, share)
        if share is not None and self.budget_table is None:
            raise ValueError(f'budget.share needs fitted halting: {NOT_FITTED}, got {share:g}')
        self.use_budget(budget)

    def _start_with(self, budget: Mapping[str, Any] | None) -> None:
        """The constructor's budget, whose share waits for the table of a checkpoint."""
        self.use_budget(self._checked_budget(**check_options('budget', budget, BUDGET_OPTIONS)))

    def _checked_budget(
        self,
        max_iterations: int | Sequence[int] | None = None,
        halting_threshold: float | None = None,
        share: float | None = None,
    ) -> Budget:
        caps, stages = None, len(self.iterative_stages())
        if isinstance(max_iterations, Sequence):
            caps = check_int_tuple('budget.max_iterations', max_iterations, stages, minimum=1)
        elif max_iterations is not None:
            caps = (check_int('budget.max_iterations', max_iterations, minimum=1),) * stages
        if halting_threshold is not None:
            halting_threshold = check_real('budget.halting_threshold', halting_threshold)
            highest = 1.0 - self.epsilon
            if not 0.0 < halting_threshold <= highest:
                raise ValueError(
                    f'budget.halting_threshold must be above 0 and at most 1 - epsilon '
                    f'({highest:g}), got {halting_threshold:g}'
                )
        if share is not None:
            share = check_real('budget.share', share)
            if not 0.0 < share <= 1.0:
                raise ValueError(f'budget.share must be above 0 and at most 1, got {share:g}')
        return Budget(caps, halting_threshold, share)

    def use_budget(self, budget: Budget) -> None:
        """A share before its table is loaded has no effect yet."""
        setting = None
        if budget.share is not None and self.budget_table is not None:
            setting = self.budget_table.at(budget.share)
        self.budget = budget
        self.apply_setting(setting)

    def apply_setting(self, setting: Setting | None) -> None:
        """Halt in evaluation by this setting, as ``set_budget(share=...)`` does by the table's."""
        self._share_caps = setting.caps if setting else None
        for k, block in enumerate(self.iterative_blocks()):
            if block.halting is not None:
                block.halting.offset = setting.offsets[k] if setting else 0.0

    def set_budget_table(self, table: BudgetTable | None) -> None:
        """Give the calibration of fitted halting, or take it away; it is part of the state dict.

        ValueError where it is of another number of blocks, or the budget's share is outside it.
        """
        if table is not None and table.blocks != len(self.max_iterations):
            raise ValueError(
                f'budget table must be of {len(self.max_iterations)} blocks, got {table.blocks}'
            )
        if table is not None and self.budget.share is not None:
            table.at(self.budget.share)  # a refusal changes nothing
        self.budget_table = table
        self.use_budget(self.budget)

    def end_fit(self) -> None:
        """Take the calibration away, with a warning if there is one: training changes the features."""
        if self.budget_table is not None:
            warnings.warn('training ends the fit of the halting: fit it again', stacklevel=5)
            self.set_budget_table(None)

    def limits(self) -> list[list[int]]:
        """L' of each block, by stage: L, the trained iterations and, in evaluation, the budget.

        In training a block's iterations are trained as it goes, unless its norms are frozen.
        """
        caps, shared = (None, None) if self.training else (self.budget.caps, self._share_caps)
        of_blocks = iter(shared or self.max_iterations)
        limits = []
        for k, stage in enumerate(self.iterative_stages()):
            blocks = enumerate(stage.iterative_blocks())
            trained = [block.trained_iterations(f'block {b} of stage {k}') for b, block in blocks]
            cap = caps[k] if caps else max(trained)
            limits.append([min(cap, each, next(of_blocks)) for each in trained])
        return limits

    def check_budget(self) -> None:
        """Raise RuntimeError where the budget's share still waits for the table of a checkpoint."""
        if self.budget.share is not None and self._share_caps is None and not self.training:
            raise RuntimeError(f'budget.share={self.budget.share:g} has no effect: {NOT_FITTED}')

    def _forget_table_if_trained(self) -> None:
        """Training changes the features that halting was fitted on: the units start anew."""
        if self.budget_table is None or not (self.training and torch.is_grad_enabled()):
            return
        if any(p.requires_grad for p in self.parameters()):
            self.end_fit()
            for block in self.iterative_blocks():
                if block.halting is not None:  # fitted scores are 0 or 1 and have no gradient
                    restart(block.halting)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.budget_table is not None:  # no buffer: half() would round it
            destination[prefix + TABLE_KEY] = self.budget_table.rows

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        if not any(key.startswith(prefix) for key in state_dict):
            return  # weights of other parts alone
        rows, unexpected = state_dict.get(prefix + TABLE_KEY), args[3]
        if prefix + TABLE_KEY in unexpected:
            unexpected.remove(prefix + TABLE_KEY)
        table = None if rows is None else BudgetTable(rows)
        if table is not None and table.blocks != len(self.max_iterations):
            table = None  # of a network with other stages
        self.set_budget_table(table)
