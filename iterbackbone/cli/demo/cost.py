"""What one picture or frame cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """What one picture or frame cost.

    Attributes:
        iterations: Of each stage of the backbones that ran; a mean where windows or views were several.
        limits: Highest iterations of each stage.
        macs: Adaptive ones: of all iterative modules that ran, a RoI layer among them.
        macs_full: Of them at all iterations.
        ms: Time of the model's forward pass with its post-processing.
    """

    iterations: tuple[float, ...]
    limits: tuple[int, ...]
    macs: int
    macs_full: int
    ms: float

    @property
    def share(self) -> float:
        """Of the full MACs."""
        return self.macs / self.macs_full


def hints(shares: Sequence[float]) -> Iterator[str]:
    """What a person may wonder at."""
    if min(shares) > 0.9995:
        yield 'all iterations ran everywhere: tools/fit_halting.py makes this network stop earlier'
