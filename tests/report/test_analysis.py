"""A report in the folder of an earlier one, on a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from iterbackbone.report.analysis import analyze
from iterbackbone.report.evaluation import load_evaluations
from tests.support.logs import correlated, write_log


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures('undrawn')
@pytest.mark.parametrize('name', ['summary.md.part', 'report.html.part'])
def test_an_old_report_stays_whole(tmp_path, name):
    out = tmp_path / 'out'
    for number in (12, 15):
        write_log(tmp_path / str(number), correlated(number))
    old, new = (load_evaluations([tmp_path / str(number)], None) for number in (12, 15))
    analyze(old, out, [Path()], 0.3)
    before = contents(out)
    (out / name).symlink_to('/dev/full')
    with pytest.raises(OSError, match='No space left on device'):
        analyze(new, out, [Path()], 0.3)
    assert contents(out) == before
