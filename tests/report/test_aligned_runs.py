"""The sources of images whose names repeat."""

from __future__ import annotations

import pytest

from iterbackbone.report.aligned_runs import AlignedRuns
from iterbackbone.report.evaluation import load_evaluations
from tests.support.logs import record, write_log


def test_images_of_one_name_are_grouped_by_path(tmp_path):
    paths = [f'seq{k // 2}/{k % 2}.png' for k in range(6)]
    records = [record(k, img_id=str(k % 2), img_path=path) for k, path in enumerate(paths)]
    runs = AlignedRuns.of(load_evaluations([write_log(tmp_path / name, records) for name in 'ab']))
    message = "groups must name every img_path, as img_ids repeat: 6 lack, such as 'seq0/0.png'"
    with pytest.raises(ValueError, match=message):
        runs.sources({'0': 'first', '1': 'second'})
    assert runs.sources({path: path[:4] for path in paths}).tolist() == [p[:4] for p in paths]
