"""Gains from evaluations' logs, for each task."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict

import msgspec
import numpy as np
import pytest

from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.gain_measurement import measure_evaluations
from iterbackbone.report.gain_panel import MeasuredGains, verdict_of
from iterbackbone.stats.gain import gain
from tests.support.gain_logs import (
    DEPTHS,
    classifier_log,
    detector_log,
    planted_logs,
    segmentor_log,
)
from tests.support.logs import record, write_log


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr('iterbackbone.stats.gain.RESAMPLES', 500)
    monkeypatch.setattr('iterbackbone.stats.gain.SET_RESAMPLES', 50)


@pytest.fixture(scope='module')
def logs(tmp_path_factory):
    """Test and calibration folders: policies, menu, menu of other images."""
    root = tmp_path_factory.mktemp('logs')
    policies, menu = planted_logs(root / 'test', ('oracle', 'worse than random'), n=200)
    calibration = planted_logs(root / 'calibration', n=150, seed=1, first=200)[1]
    return policies, menu, calibration


load = functools.cache(load_evaluation)


def measured(policies, menu, calibration=None, more=(), **options):
    policies, menu, more = ([load(folder) for folder in folders] for folders in (policies, menu, more))
    calibration = None if calibration is None else [load(folder) for folder in calibration]
    return measure_evaluations(
        policies, menu, calibration_menu=calibration, more_static=more, **options
    )


def test_the_same_as_from_arrays(logs):
    policies, menu, calibration = logs
    found = measured(policies, menu, calibration)
    columns = {}
    for folder in [*policies, *menu]:
        records = [json.loads(line) for line in (folder / 'records.jsonl').read_text().splitlines()]
        columns[folder] = [[r['macs'] for r in records], [100.0 * r['correct'] for r in records]]
    costs, scores = zip(*(columns[folder] for folder in menu), strict=True)
    vertices = [i for i, budget in enumerate(found.menu) if budget.vertex]
    for folder, actual in zip(policies, found.gains, strict=True):
        own = columns[folder]
        expected = gain(*own, costs, scores, vertices=vertices, full_cost=16e8)
        assert (actual.value, actual.low, actual.high) == (expected.value, expected.low, expected.high)
        assert actual.share == expected.share
        assert actual.shuffled.cost == pytest.approx(actual.cost)
    assert found.gains[0].value > 0 > found.gains[1].high
    assert [budget.name for budget in found.menu] == ['1/1/1/1', '1/2/2/1', '2/3/3/1', '3/4/4/2']
    assert [budget.share for budget in found.menu] == [4 / 16, 6 / 16, 9 / 16, 13 / 16]
    assert (found.score, found.unit, found.notes) == ('top1', 'points', [])
    assert verdict_of([found]).startswith('N')


def test_a_policy_of_one_depth_is_called_static(logs):
    _, menu, calibration = logs
    found = measured([menu[1]], menu, calibration)
    (note,) = found.notes
    assert note.endswith('all images run 1/2/2/1 iterations: a static budget, nothing adapts')


def test_without_calibration_half_of_the_sources_choose(logs):
    policies, menu, _ = logs
    groups = {f'{i:06d}': f'source {i // 4}' for i in range(200)}
    found = measured(policies, menu, groups=groups)
    assert found.notes == ['the envelope was chosen on 100 images, the gains are of 100 others']
    assert (found.gains[0].num_images, found.gains[0].num_groups) == (100, 25)


def test_what_no_budget_changes_moves_the_shares_only(logs):
    found, whole = measured(*logs), measured(*logs, rest_macs=16e8)
    assert [b.share for b in whole.menu] == pytest.approx([(1 + b.share) / 2 for b in found.menu])
    for one, other in zip(found.gains, whole.gains, strict=True):
        assert other.share == pytest.approx((1 + one.share) / 2)
        assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))


def test_json_and_back(logs, tmp_path):
    found = measured(*logs)
    (tmp_path / 'gains.json').write_text(json.dumps(asdict(found)))
    assert MeasuredGains.read(tmp_path / 'gains.json') == found
    for text in ('', '[]', '{}', json.dumps({**asdict(found), 'gains': [{}]})):
        (tmp_path / 'wrong.json').write_text(text)
        with pytest.raises(ValueError, match=r'wrong.json holds no measured gains'):
            MeasuredGains.read(tmp_path / 'wrong.json')


def test_depths_without_a_static_run_are_named(logs, tmp_path):
    policies, menu, calibration = logs
    found = measured(policies[:1], [menu[0], menu[2], menu[3]], [calibration[i] for i in (0, 2, 3)])
    assert found.gains[0].shuffled is not None  # the oracle takes the two extremes only
    rest = measured(policies[:1], menu[:1] + menu[1:3], calibration[:3])
    assert rest.gains[0].shuffled is None
    assert rest.notes == [
        'tiny oracle: no shuffles: 1 of its 2 depths were not run on all images, such as 3/4/4/2'
    ]
    assert verdict_of([rest]).startswith(('No', 'Not shown'))
    more = measured(policies[:1], menu[:3], calibration[:3], more=menu[3:])
    assert more.gains[0].shuffled.num_shuffles == 1000
    assert len(more.menu) == 3


def test_a_menu_that_is_not_static_is_named(logs, tmp_path):
    policies, menu, _ = logs
    found = measured(policies[:1], [menu[0], policies[1], menu[3]])
    assert 'tiny worse_than_random is not static: its iterations differ between images' in found.notes


@pytest.mark.parametrize('size', [0.01, 1, 1000])
def test_outcomes_that_differ_from_the_static_ones_are_said_in_any_unit(tmp_path, size):
    deep = np.arange(40) % 2
    for name, depth, own in (('a', 0 * deep, 0.5), ('b', 1 + 0 * deep, 0.5), ('policy', deep, 0.45)):
        records = [record(i, DEPTHS[k], scores={'dice': own * size}) for i, k in enumerate(depth)]
        write_log(tmp_path / name, records)
    policy, *menu = (tmp_path / name for name in ('policy', 'a', 'b'))
    notes = measured([policy], menu, score='dice').notes
    texts = (
        f'it scores {0.45 * size:.4g}, the static outcomes at its depths {0.5 * size:.4g}: its features'
    )
    assert any(texts in note for note in notes)
    same = [record(i, DEPTHS[k], scores={'dice': 0.50004 * size}) for i, k in enumerate(deep)]
    found = measured([write_log(tmp_path / 'same', same)], menu, score='dice')
    assert not any('its features' in note for note in found.notes)


@pytest.mark.parametrize('task', ['detection', 'segmentation'])
def test_scores_of_sets(tmp_path, task):
    # depth finds what half of the 40 images hold; the policy is deep there only
    helped = np.arange(40) % 2 == 1
    shallow, deep = DEPTHS[0], DEPTHS[3]
    runs = {
        'policy': ([deep if h else shallow for h in helped], [True] * 40),
        'shallow': ([shallow] * 40, ~helped),
        'deep': ([deep] * 40, [True] * 40),
    }
    for name, (depths, right) in runs.items():
        if task == 'detection':
            detector_log(tmp_path / name, depths, np.where(right, 0, 50).tolist())
        else:
            segmentor_log(tmp_path / name, depths, right)
    policy, *menu = (tmp_path / name for name in runs)
    found = measured([policy], menu)
    assert found.score == {'detection': 'ap50', 'segmentation': 'mean_iou'}[task]
    only = found.gains[0]
    assert only.score == 100 if task == 'detection' else only.score == pytest.approx(100)
    assert [budget.score for budget in found.menu][1] == pytest.approx(only.score)
    assert only.low > 0
    assert only.shuffled.p_value == pytest.approx(1 / 201)
    assert only.shuffled.score == pytest.approx(only.mixture, abs=5)


def test_any_field_of_the_records(tmp_path):
    folders = []
    for name, depth, value in (('a', 0, 1.0), ('b', 3, 2.0), ('p', 0, 1.0)):
        entries = [
            record(i, DEPTHS[depth], scores={'quality': None if i == 3 else value}) for i in range(12)
        ]
        folders.append(write_log(tmp_path / name, entries))
    found = measured(folders[2:], folders[:2], score='quality')
    assert found.unit == 'of quality'
    assert '1 of 6 images have no quality and are left out' in found.notes
    assert found.gains[0].value == 0


def wrong_inputs(root, policies, menu, calibration):
    """(arguments, options, message)"""
    depths, right = [DEPTHS[0]] * 200, [1] * 200
    other = classifier_log(root / 'other', depths[:9], right[:9])
    network = classifier_log(root / 'network', depths, right, max_iterations=[3, 4, 9, 3])
    twice = write_log(root / 'twice', [record(0), record(0)])
    blind = write_log(root / 'blind', [record(i) for i in range(4)], [{'img_id': '000000'}] * 4)
    few, same = ({f'{i:06d}': i % n for i in range(350)} for n in (3, 50))
    yield (policies, menu[:1]), {}, 'menu 2 to 8 static budgets, got 2 and 1'
    yield ([], menu), {}, 'policies must be at least 1'
    yield (policies, [*menu, other]), {}, 'must be of the same images; only one of them has 191 images'
    yield (policies, [*menu, network]), {}, 'is of another network than'
    yield (policies, [*menu, twice]), {}, 'must hold each image once: 1 records repeat one'
    yield (policies, menu, calibration[:2]), {}, 'must hold the 4 budgets of menu in its order'
    yield (
        (policies, menu, calibration[::-1]),
        {},
        r'4 budgets of menu in its order, of the iterations \[\(1.0, 1.0',
    )
    yield (policies, menu, menu), {}, 'must be of other source images than menu, but shares 200'
    yield (policies, menu), dict(rest_macs=-1), 'rest_macs must be finite and not negative, got -1'
    yield (policies, menu), dict(score='beauty'), "score: no image has 'beauty'"
    yield (policies, menu), dict(score='img_path'), "score must be a numeric field .*, got 'img_path'"
    for field in ('img_id', 'iterations'):
        yield (policies, menu), dict(score=field), f"score must be a numeric field .*, got '{field}'"
    yield (policies, menu), dict(score='mean_iou'), "image '0000.*' has no predicted and true label map"
    yield ([blind], [blind, blind]), {}, 'has no predicted and true boxes'
    yield (policies, menu), dict(groups={'000000': 1}), 'groups must name every img_id: 199 lack'
    yield (policies, menu), dict(groups=few), 'a split needs 4 source images or more, got 3'
    yield (policies, menu, calibration), dict(groups=same), 'of other source images .* shares 50'


def test_bad_input_is_named(logs, tmp_path):
    for arguments, options, message in wrong_inputs(tmp_path, *logs):
        with pytest.raises(ValueError, match=message):
            measured(*arguments, **options)


def test_seeds_of_two_scores_are_not_judged_together(logs):
    found = measured(*logs)
    other = measured(*logs, score='confidence')
    with pytest.raises(ValueError, match='all seeds must be of one score, got'):
        verdict_of([found, other])


def test_a_training_counts_once(logs, tmp_path):
    found = measured(*logs)
    (tmp_path / 'gain.json').write_bytes(msgspec.json.encode(asdict(found)))
    with pytest.raises(ValueError, match=r'seeds must be different trainings, but number 1 .* repeats'):
        verdict_of([found, MeasuredGains.read(tmp_path / 'gain.json')])
