"""What one forward pass is asked to do, handed from the network down to its blocks."""

from __future__ import annotations

from typing import NamedTuple


class RunSettings(NamedTuple):
    """How a forward pass runs.

    Attributes:
        compact: Whether halted rows leave the batch (``active``) or stay (``masked``).
        threshold: 1 - epsilon, or the runtime budget's halting threshold.
        record_scores: Whether to keep the halting scores in the trace.
    """

    compact: bool
    threshold: float
    record_scores: bool
