"""How far a block may iterate in evaluation: the runtime budget and what training has reached."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from .block import IterativeBlock
from .normalization import last_trained
from .validation import check_int, check_int_tuple, check_real

BUDGET_OPTIONS = ('max_iterations', 'halting_threshold', 'share')


class Budget(NamedTuple):
    """Limits that hold in evaluation only: accuracy traded for compute without retraining.

    Attributes:
        caps: Highest iterations per stage; None for no cap.
        threshold: Replaces 1 - epsilon as the sum at which a row halts; None for no change.
        share: Of the full MACs, which the fitted halting is to meet; None for no such budget.
    """

    caps: tuple[int, ...] | None = None
    threshold: float | None = None
    share: float | None = None

    @classmethod
    def checked(
        cls,
        num_stages: int,
        epsilon: float,
        max_iterations: int | Sequence[int] | None = None,
        halting_threshold: float | None = None,
        share: float | None = None,
    ) -> Budget:
        """Validate what a user asked for.

        Raises:
            TypeError, ValueError: ``max_iterations`` is neither a positive int nor one for
                each stage, ``halting_threshold`` lies outside (0, 1 - epsilon], or ``share``
                outside (0, 1].
        """
        caps = None
        if isinstance(max_iterations, Sequence):
            caps = check_int_tuple('budget.max_iterations', max_iterations, num_stages, minimum=1)
        elif max_iterations is not None:
            caps = (check_int('budget.max_iterations', max_iterations, minimum=1),) * num_stages
        if halting_threshold is not None:
            halting_threshold = check_real('budget.halting_threshold', halting_threshold)
            if not 0.0 < halting_threshold <= 1.0 - epsilon:
                raise ValueError(
                    f'budget.halting_threshold must be above 0 and at most 1 - epsilon '
                    f'({1.0 - epsilon:g}), got {halting_threshold:g}'
                )
        if share is not None:
            share = check_real('budget.share', share)
            if not 0.0 < share <= 1.0:
                raise ValueError(f'budget.share must be above 0 and at most 1, got {share:g}')
        return cls(caps, halting_threshold, share)


def trained_iterations(name: str, block: IterativeBlock) -> int:
    """L of a block, or fewer where training has never reached its last iterations: a warning names it.

    Its norms count the batches they have seen.
    """
    if block.trained is None:  # read once: on a GPU the read waits for the device
        most = block.max_iterations
        trained = most if block.norm1[0].training else last_trained(block.norm1) or most
        block.trained = trained
        if trained < most:
            warnings.warn(
                f'{name} ran at most {trained} of its {most} iterations in training, so the BatchNorm '
                f'statistics of the others mean nothing: evaluation stops at {trained}',
                stacklevel=2,
            )
    return block.trained
