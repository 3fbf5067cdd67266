"""The one line a person reads after an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

from .evaluation_folder import META, RECORDS


def summary_line(folder: Path) -> str:
    """Such as ``iterations 2.1/5.3/14.0/2.0 of 3/8/36/3, 4.9 GMAC (43% of full), FOLDER``.

    Args:
        folder: Of a complete evaluation.
    """
    meta = json.loads((folder / META).read_text(encoding='utf-8'))
    images, macs, macs_full = 0, 0, 0
    totals = [0.0] * len(meta['blocks_per_stage'])
    with open(folder / RECORDS, encoding='utf-8') as lines:
        for record in map(json.loads, lines):
            images += 1
            macs += record['macs']
            macs_full += record['macs_full']
            totals = [a + b for a, b in zip(totals, record['iterations'], strict=True)]
    if not images:
        return f'iterations: no images, {folder}'
    means = '/'.join(f'{total / images:.1f}' for total in totals)
    limits = iter(meta['max_iterations'])
    full = '/'.join(str(sum(next(limits) for _ in range(n))) for n in meta['blocks_per_stage'])
    gmacs, share = macs / images / 1e9, macs / macs_full
    return f'iterations {means} of {full}, {gmacs:.2f} GMAC ({share:.0%} of full), {folder}'
