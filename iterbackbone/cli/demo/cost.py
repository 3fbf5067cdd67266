"""What one picture or frame cost."""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """What one picture or frame cost.

    Attributes:
        iterations: Of each stage; a mean over windows or views where there were several.
        limits: Highest iterations of each stage.
        macs: Of the iterative modules.
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
