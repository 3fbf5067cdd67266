"""Mean and range over the seeds."""

from __future__ import annotations

from experiments.block_start.summarise import cell


def test_a_cell():
    rows = [dict(correct=c, images=200, macs=30, macs_full=60) for c in (100, 110, 120)]
    assert cell(rows) == '55.0 (50.0-60.0) at 0.50'
    assert cell([dict(correct=1, images=4)]) == '25.0'
