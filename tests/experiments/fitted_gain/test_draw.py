"""The picture shows what the committed results say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import experiments
from experiments.fitted_gain.draw import draw

RESULTS = Path(experiments.__file__).parent / 'mosaics/results'


@pytest.mark.parametrize(('name', 'seeds'), [('', 3), ('imagenette128_', 3)])
def test_the_lines_are_the_results(name, seeds):
    reports = [json.loads((RESULTS / f'{name}seed{i}.json').read_text()) for i in range(seeds)]
    scores, gains = draw(reports).axes
    static, policy = scores.lines
    first = reports[0]
    assert static.get_ydata()[0] == pytest.approx(100 * first['menu'][0]['score'])
    assert policy.get_ydata() == pytest.approx([row['score'] for row in first['policy']])
    assert policy.get_xdata() == pytest.approx([100 * row['share'] for row in first['policy']])
    assert [bars.get_label() for bars in gains.containers] == [f'seed {i}' for i in range(seeds)]
    for bars, report in zip(gains.containers, reports, strict=True):
        (ends,) = bars.lines[2]
        drawn = np.array(ends.get_segments())[:, :, 1]
        assert drawn == pytest.approx(np.array([[row['low'], row['high']] for row in report['policy']]))
