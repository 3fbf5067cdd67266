"""The panel that says whether adapting pays, and trainings that it counts once."""

from __future__ import annotations

import json
import runpy
from dataclasses import asdict, replace

import numpy as np
import pytest

from iterbackbone.__main__ import tool_path
from iterbackbone.report.analysis import analyze
from iterbackbone.report.evaluation import load_evaluations
from iterbackbone.report.figures import gain_figure
from iterbackbone.report.gain_measurement import measure_evaluations
from iterbackbone.report.gain_panel import MeasuredGains, fingerprint, verdict_of
from tests.support.browsing import opened, script
from tests.support.gain_logs import planted_logs


@pytest.fixture(scope='module', autouse=True)
def _few_gain_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('iterbackbone.stats.gain.RESAMPLES', 500)
        yield


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('gain')
    planted_logs(root / 'test', ('worse than random', 'oracle'), n=200)
    planted_logs(root / 'calibration', n=150, seed=1, first=200)
    return root


def menu(folder):
    return [folder / f'static_{k}' for k in range(4)]


@pytest.fixture(scope='module')
def shown(root):
    """The evaluations of a bad policy and of a good one, their menu, and their gains."""
    policies = load_evaluations([root / 'test' / name for name in ('worse_than_random', 'oracle')])
    static = load_evaluations(menu(root / 'test'))
    measured = measure_evaluations(
        policies, static, calibration_menu=load_evaluations(menu(root / 'calibration'))
    )
    return policies, static, measured


def test_long_names_take_no_room_from_the_axes(shown):
    figure = gain_figure(replace(shown[-1], policies=['a' * 80, 'b' * 80]))
    figure.draw_without_rendering()
    below = figure.legends[0].get_window_extent()
    assert 0 < below.x0 < below.x1 < figure.bbox.width
    assert below.y1 < min(axes.get_window_extent().y0 for axes in figure.axes)
    assert figure.axes[0].get_window_extent().width > 2 * figure.dpi


def test_the_printed_figure_shows_intervals_as_they_are_and_names_beside_each_other(shown):
    figure = gain_figure(shown[-1])
    figure.draw_without_rendering()
    wide = [line for line in figure.axes[0].lines if line.get_linewidth() > 5]
    assert [line.get_solid_capstyle() for line in wide] == ['butt', 'butt']
    names = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    assert len({round(name.x0) for name in names}) > 1
    spent, bought = figure.axes[1:3]
    assert (spent.get_ylabel(), bought.get_ylabel()) == ('iterations', 'benefit, points')
    assert spent.get_xlim() == bought.get_xlim()
    assert spent.get_window_extent().y0 > bought.get_window_extent().y1


def test_bins_are_the_means_of_the_images_they_hold(shown):
    policies, static, measured = shown
    count = policies[0].column('num_objects')
    wrong = [100 * (1 - e.column('correct')) for e in [*policies, *static]]
    found = measured.by_measure[0]
    assert [entry['field'] for entry in measured.by_measure] == ['num_objects', 'mean_relative_area']
    assert [b['low'] for b in found['depth']] == [1, 2, 3, 4]
    for place, objects in enumerate([1, 2, 3, 4]):
        images = count == objects
        depth = (wrong[2] - wrong[5])[images].mean()  # the cheapest budget and the most expensive
        assert found['depth'][place]['mean'] == pytest.approx(depth)
        for run, policy in enumerate(found['policies']):
            gain = measured.gains[run]
            low, high = (wrong[2 + vertex] for vertex in gain.vertices)
            benefit = ((1 - gain.weight) * low + gain.weight * high - wrong[run])[images].mean()
            iterations = policies[run].column('total_iterations')[images].mean()
            assert policy['benefit'][place]['mean'] == pytest.approx(benefit)
            assert policy['iterations'][place]['mean'] == pytest.approx(iterations)
    # Over all images the benefit is the gain, for a score that is a mean.
    weights = [b['num_images'] for b in found['depth']]
    for policy, gain in zip(found['policies'], measured.gains, strict=True):
        whole = np.average([b['mean'] for b in policy['benefit']], weights=weights)
        assert whole == pytest.approx(gain.value)


@pytest.mark.usefixtures('undrawn')
def test_the_page_says_no_of_a_bad_policy(shown, tmp_path):
    policies, static, _ = shown
    measured = measure_evaluations(policies[:1], static)
    analyze(policies[:1], tmp_path, tmp_path, 0.3, measured)
    text = (tmp_path / 'report.html').read_text(encoding='utf-8')
    sentence = text.split('class="verdict">')[1].split('<')[0]
    assert sentence.startswith(
        'No, adapting does not pay: at 50% of the MACs the policy scores less than'
    )
    assert 'Does adapting pay?' in text
    assert f'the gains are of {measured.gains[0].num_images} others' in text
    assert sentence.split(' (')[0] in (tmp_path / 'summary.md').read_text()
    kept = MeasuredGains.read(tmp_path / 'gain.json')
    assert (kept.gains, verdict_of([kept])) == (measured.gains, measured.verdict)
    analyze(policies[:1], tmp_path, tmp_path, 0.3)  # without a menu
    assert not (tmp_path / 'gain.json').exists()
    assert 'Does adapting pay?' not in (tmp_path / 'report.html').read_text(encoding='utf-8')


def test_its_charts_are_drawn(browser, shown, tmp_path):
    policies, _, measured = shown
    page = opened(browser, tmp_path, policies, measured)
    for chart in ('gain', 'gain_num_objects', 'gain_mean_relative_area'):
        marks = f"document.querySelectorAll('#{chart} .point').length"
        assert script(page, f'return {marks}') >= 4 + len(policies), chart
    names = script(page, "return document.getElementById('gain').data.map((trace) => trace.name)")
    assert names[:2] == ['static budgets', 'best static mixtures']
    assert names[3::2] == [f'{policy.name}: policy, 95% interval of its gain' for policy in policies]
    assert [entry for entry in page.get_log('browser') if entry['level'] != 'INFO'] == []


def test_one_command_measures_and_shows(root, tmp_path, monkeypatch, capsys):
    def call(*args):
        monkeypatch.setattr('sys.argv', ['analyze_iterations.py', *map(str, args)])
        try:
            runpy.run_path(str(tool_path('iterbackbone', 'analyze_iterations')), run_name='__main__')
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    place = [root / 'test' / 'worse_than_random', '--out', tmp_path / 'out', '--menu']
    menus = [*menu(root / 'test'), '--calibration-menu', *menu(root / 'calibration')]
    code, stdout, stderr = call(*place, *menus)
    assert code == 0, stderr
    verdict = json.loads((tmp_path / 'out' / 'gain.json').read_text())['verdict']
    assert verdict.startswith('No, adapting does not pay: ')
    assert verdict in stdout
    # Budgets of the menu that are shown, too, are no policies.
    code, _, stderr = call(*menu(root / 'test')[:2], *place, *menus)
    assert code == 0, stderr
    found = json.loads((tmp_path / 'out' / 'gain.json').read_text())
    assert (len(found['policies']), found['verdict']) == (1, verdict)
    assert len(json.loads((tmp_path / 'out' / 'summary.json').read_text())) == 3
    code, _, stderr = call(*place, root / 'test' / 'static_0')
    assert (code, 'menu 2 to 8 static budgets' in stderr) == (2, True)


@pytest.fixture(scope='module')
def evaluations(tmp_path_factory):
    """Two policies, then their menu."""
    policies, menu = planted_logs(tmp_path_factory.mktemp('logs'), ('oracle', 'worse than random'), 60)
    return load_evaluations([*policies, *menu])


@pytest.fixture(scope='module')
def measured(evaluations):
    """The same training, measured with three seeds of the split."""
    return [measure_evaluations(evaluations[:1], evaluations[2:], seed=s) for s in range(3)]


def test_a_training_measured_with_another_seed_is_refused(measured, tmp_path):
    assert measured[0].gains != measured[1].gains
    (tmp_path / 'gain.json').write_text(json.dumps(asdict(measured[1])))
    message = r'number 1 \(tiny oracle\) repeats number 0 \(tiny oracle\)'
    with pytest.raises(ValueError, match=message):
        verdict_of([measured[0], MeasuredGains.read(tmp_path / 'gain.json')])
    other = replace(measured[2], fingerprints=['another'])
    assert verdict_of([measured[0], other])


def test_a_fingerprint_is_of_what_the_images_took_and_got(evaluations):
    first, second = evaluations[:2]
    moved = replace(first, name='other', records=first.records[::-1])
    assert fingerprint(moved) == fingerprint(first) != fingerprint(second)
    dearer = [{**first.records[0], 'macs': first.records[0]['macs'] + 1}, *first.records[1:]]
    assert fingerprint(replace(first, records=dearer)) != fingerprint(first)
