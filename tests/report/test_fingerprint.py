"""One training measured several times, and its log beside others."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from iterbackbone.report.evaluation import load_evaluations
from iterbackbone.report.fingerprint import fingerprint
from iterbackbone.report.gain_measurement import measure_evaluations
from iterbackbone.report.gain_panel import MeasuredGains, verdict_of
from tests.support.gain_logs import planted_logs


@pytest.fixture(scope='module')
def evaluations(tmp_path_factory):
    """Two policies, then their menu."""
    policies, menu = planted_logs(tmp_path_factory.mktemp('logs'), ('oracle', 'worse than random'), 60)
    return load_evaluations([*policies, *menu])


@pytest.fixture(scope='module')
def measured(evaluations):
    """The same training, measured with three seeds of the split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('iterbackbone.stats.gain.RESAMPLES', 100)
        return [measure_evaluations(evaluations[:1], evaluations[2:], seed=s) for s in range(3)]


def test_a_training_measured_with_another_seed_is_refused(measured, tmp_path):
    assert measured[0].gains != measured[1].gains
    (tmp_path / 'gain.json').write_text(json.dumps(asdict(measured[1])))
    message = r'number 1 \(tiny oracle\) repeats number 0 \(tiny oracle\)'
    with pytest.raises(ValueError, match=message):
        verdict_of([measured[0], MeasuredGains.read(tmp_path / 'gain.json')])
    other = replace(measured[2], fingerprints=['another'])
    assert verdict_of([measured[0], other])


def test_a_file_of_an_older_version_is_read(measured, tmp_path):
    content = asdict(measured[0])
    del content['fingerprints']
    (tmp_path / 'gain.json').write_text(json.dumps(content))
    old = MeasuredGains.read(tmp_path / 'gain.json')
    assert old == replace(measured[0], fingerprints=[])
    with pytest.raises(ValueError, match=r'number 1 \(tiny oracle\) repeats number 0'):
        verdict_of([measured[0], old])


def test_it_is_of_what_the_images_took_and_got(evaluations):
    first, second = evaluations[:2]
    moved = replace(first, name='other', records=first.records[::-1])
    assert fingerprint(moved) == fingerprint(first) != fingerprint(second)
    dearer = [{**first.records[0], 'macs': first.records[0]['macs'] + 1}, *first.records[1:]]
    assert fingerprint(replace(first, records=dearer)) != fingerprint(first)
