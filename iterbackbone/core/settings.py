"""What one forward pass is asked to do, handed from the network down to its blocks, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from .validation import check_choice

EXECUTIONS = ('active', 'masked')  # see :mod:`iterbackbone.core.loop`


class RunSettings(NamedTuple):
    """How a forward pass runs.

    Attributes:
        rows_leave: Whether halted rows leave the batch (``active``) or stay (``masked``).
        threshold: 1 - epsilon, or the runtime budget's halting threshold.
        record_scores: Whether to keep the halting scores in the trace.
    """

    rows_leave: bool
    threshold: float
    record_scores: bool


class InferenceForm(Protocol):
    """What can run instead of a part of the network, see :mod:`iterbackbone.inference`."""

    def serves(self, part: Any, /) -> bool:
        """Whether it computes what the part in its present state does."""

    def __call__(self, part: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As the part's forward."""


def checked_execution(execution: str | Mapping[str, str]) -> dict[str, str]:
    """The execution of training (``train``) and of evaluation (``eval``)."""
    if isinstance(execution, Mapping):
        if set(execution) != {'train', 'eval'}:
            raise ValueError(f"execution must have the keys 'train' and 'eval', got {list(execution)}")
        modes = dict(execution)
    else:
        modes = {'train': execution, 'eval': execution}
    for mode, value in modes.items():
        check_choice(f'execution[{mode!r}]', value, EXECUTIONS)
    return modes
