"""Average precision by size: two evaluations, one of which finds nothing of one size."""

from __future__ import annotations

import json
import sys

from experiments.voc_models import by_size
from tests.support.logs import prediction_of, record, write_log


def test_objects_of_other_sizes_neither_count_nor_are_wrong(tmp_path, monkeypatch):
    records = [record(i, objects=2) for i in range(4)]
    lines = [prediction_of(r) for r in records]
    for line in lines:
        line['true'] = {'boxes': [[0, 0, 20, 20], [50, 10, 150, 110]], 'labels': [0, 0]}
        line['predicted'] = {'boxes': [[50, 10, 150, 110]], 'labels': [0], 'scores': [0.9]}
    write_log(tmp_path / 'large', records, lines)
    for line in lines:
        line['predicted'] = {**line['true'], 'scores': [0.9, 0.8]}
    write_log(tmp_path / 'both', records, lines)
    words = ['by_size.py', str(tmp_path / 'large'), str(tmp_path / 'both'), '--scale', '160', '120']
    monkeypatch.setattr(sys, 'argv', [*words, '--out', str(tmp_path / 'out.json')])
    monkeypatch.setattr(by_size, 'EDGES', (0, 48, float('inf')))
    by_size.main()
    every, small, large = json.loads((tmp_path / 'out.json').read_text())['sizes']
    assert [row['objects'] for row in (every, small, large)] == [8, 4, 4]
    assert [row['ap50'] for row in (every, small, large)] == [[50, 100], [0, 100], [100, 100]]
    assert small['ap50_interval'] == [[0, 0], [100, 100]]
    assert (every['gain'], every['interval']) == ([0, 50], [[0, 0], [50, 50]])
