"""What is said of a block whose gains were not predicted."""

from __future__ import annotations

import json

import torch

from iterbackbone.fitting.halting import FittedBlock
from iterbackbone.fitting.index import BlockIndex
from iterbackbone.mm.fitting.fit_report import FitReport, _block


def test_nothing_predicted_has_no_correlation():
    none = torch.zeros(0, 4)
    blocks = [
        FittedBlock(None, prediction, none, none.T, 0.1)
        for prediction in (None, BlockIndex((), 0.1, 0.0321, False))
    ]
    report = FitReport({'calibrate': 'val[:4]'}, 'score', [_block(b) for b in blocks], [], [], None)
    assert json.loads(json.dumps(report._asdict()))['blocks'] == [
        {'correlation': None, 'held_out': None, 'unit': 'not fitted'},
        {'correlation': 0.0321, 'held_out': None, 'unit': 'constant depth'},
    ]
    assert report.text().splitlines()[-2:] == ['  - (not fitted)', '  0.032 (constant depth)']
