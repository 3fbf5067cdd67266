"""The one line a person reads after an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class LogSummary:
    """Running means over the images this process evaluated."""

    def __init__(self) -> None:
        self._images = 0
        self._iterations: list[float] = []
        self._macs = 0
        self._macs_full = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Take in one image's record."""
        self._images += 1
        per_stage = record['iterations']
        self._iterations = [
            a + b for a, b in zip(self._iterations or [0.0] * len(per_stage), per_stage, strict=True)
        ]
        self._macs += record['macs']
        self._macs_full += record['macs_full']

    def line(self, meta: Mapping[str, Any], folder: Path) -> str:
        """Such as ``iterations 2.1/5.3/14.0/2.0 of 3/8/36/3, 4.9 GMAC (43% of full), FOLDER``.

        Args:
            meta: Content of ``meta.json``.
            folder: Where the log was written.
        """
        if not self._images:
            return f'iterations: no images, {folder}'
        means = '/'.join(f'{total / self._images:.1f}' for total in self._iterations)
        limits = iter(meta['max_iterations'])
        full = '/'.join(str(sum(next(limits) for _ in range(n))) for n in meta['blocks_per_stage'])
        gmacs, share = self._macs / self._images / 1e9, self._macs / self._macs_full
        return f'iterations {means} of {full}, {gmacs:.2f} GMAC ({share:.0%} of full), {folder}'
