"""The adaptive loop of the inference form: Algorithm 1 in place, halted rows leave the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.loop import BlockResult
from ..core.settings import RunSettings
from .block_run import BlockRun
from .layout import pixels
from .rows import Batch, Scores, iterate, start


def run_form(run: BlockRun, x: Tensor, limit: int, settings: RunSettings) -> BlockResult:
    """What :func:`iterbackbone.core.loop.run_iterations` does in ``active`` execution.

    Args:
        run: Of the block.
        x: s_0, (B, C, H, W) channels_last; overwritten.
        limit: L'.
        settings: Threshold and what to record.
    """
    count, size = len(x), (x.shape[2], x.shape[3])
    rows, batch = start(pixels(x), limit), Batch(count, x.device)
    scores = Scores(settings.record_scores, count, limit, x.device)
    for i in range(limit):
        score = iterate(run, rows, i, limit, settings.threshold, size)
        scores.record(rows, i, score)
        running = rows.halting.running
        going_on = 0 if i == limit - 1 else sum(running.tolist())
        if going_on == 0:
            break
        if going_on < len(running):
            batch.take(rows, (~running).nonzero().flatten(), i + 1)
            rows.drop_halted(going_on)
    batch.take(rows, torch.arange(len(rows.position), device=x.device), i + 1)
    return batch.result(size, i + 1, scores.table)
