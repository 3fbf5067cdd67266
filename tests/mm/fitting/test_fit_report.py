"""What is said of a block whose gains were not predicted."""

from __future__ import annotations

import json

import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from iterbackbone.core.budget_table import Setting
from iterbackbone.fitting.calibration import Calibrated
from iterbackbone.fitting.halting import FittedBlock
from iterbackbone.fitting.procedure import Fit
from iterbackbone.fitting.static import Outcome
from iterbackbone.mm.fitting.command import _groups
from iterbackbone.mm.fitting.fit_report import FitReport, _block
from iterbackbone.mm.fitting.images import FitOptions, ImageSpec

OPTIONS = FitOptions(ImageSpec.parse('val[::2]'), ImageSpec.parse('val[1::2]'), max_drop=0.5)


def test_nothing_predicted_has_no_correlation():
    none = torch.zeros(0, 4)
    blocks = [FittedBlock(None, found, none, none.T, 0.1) for found in (None, 0.0321)]
    report = FitReport({'calibrate': 'val[:4]'}, 'score', [_block(b) for b in blocks], [], [], None)
    assert json.loads(json.dumps(report._asdict()))['blocks'] == [
        {'correlation': None, 'held_out': None, 'unit': 'not fitted'},
        {'correlation': 0.0321, 'held_out': None, 'unit': 'constant depth'},
    ]
    *_, first, second, _, sentence = report.text().splitlines()
    assert (first, second) == ('  - (not fitted)', '  0.032 (constant depth)')
    assert sentence.endswith('each share is a static budget, nothing adapts.')
    adaptive = {'correlation': 0.5, 'held_out': 0.4, 'unit': 'linear'}
    assert 'nothing adapts' not in report._replace(blocks=[*report.blocks, adaptive]).text()


def report_at(shares, groups):
    """Of four calibration images and two static budgets."""

    def outcome(macs):
        scores = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.double)
        return Outcome(1 - scores, torch.full((4,), macs, dtype=torch.double), scores)

    menu = [((1,), outcome(50.0)), ((2,), outcome(100.0))]
    points = [Calibrated(s, s, Setting((), ()), outcome(100 * s), (), 0.0) for s in shares]
    return FitReport.of(Fit([], points, menu), OPTIONS, groups)


def test_a_point_outside_the_static_budgets_has_no_gain():
    """Of regions there may be more than at full depth."""
    report = report_at((0.75, 1.25), torch.arange(4))
    inside, outside = report.budgets
    assert inside['gain'] is not None
    assert (outside['met'], outside['score'], outside['gain']) == (1.25, 0.75, None)
    assert '  1.250   1.250   0.7500  costs more than every static budget, or less' in report.text()
    assert report.drop['sentence'] == '--max-drop 0.5 needs 598 calibration images (sources), got 4.'


def test_a_source_may_be_a_pair():
    """Such as ``ori_shape``, or a film and its scene."""

    def loader(*sources):
        return DataLoader(
            [{'data_samples': BaseDataElement(metainfo=dict(of=each))} for each in sources]
        )

    loaders = loader(('a', 1), ('a', 2)), loader(('b', 1), ('b', 2), ('b', 1), ('c', 1))
    _, groups = _groups(loaders, OPTIONS._replace(group_by='of'))
    report = report_at((0.75,), groups)
    assert report.budgets[0]['gain'] is not None
    assert report.drop['sentence'].endswith('images (sources), got 3.')
