"""The command from evaluations' folders to the gain and its verdict."""

from __future__ import annotations

import json
import runpy

import pytest

from iterbackbone.__main__ import tool_path
from tests.support.gain_logs import planted_logs


@pytest.fixture
def run(root, monkeypatch, capsys):
    """Call the tool in the folder of the logs: exit code, stdout, stderr."""
    monkeypatch.chdir(root)

    def call(*args):
        monkeypatch.setattr('sys.argv', ['measure_gain.py', *args])
        try:
            runpy.run_path(str(tool_path('iterbackbone', 'measure_gain')), run_name='__main__')
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    return call


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('gain')
    planted_logs(root / 'test', ('oracle', 'worse than random'), n=400)
    planted_logs(root / 'other', n=400, seed=2)  # of another training
    planted_logs(root / 'calibration', n=300, seed=1, first=400)
    return root


def menu(of):
    return [f'{of}/static_{k}' for k in range(4)]


def test_a_bad_policy_gets_no(run):
    args = ('--policy', 'test/worse_than_random', '--menu', *menu('test'))
    code, stdout, stderr = run(*args, '--calibration-menu', *menu('calibration'))
    assert code == 0, stderr
    assert stdout.splitlines()[-1].startswith(
        'No, adapting does not pay: at 50% of the MACs the policy scores less than the best mixture of '
        'two static budgets (gain -1'
    )


def test_seeds_are_shown_and_judged_together(root, run):
    args = ('--policy', 'test/oracle', '--menu', *menu('test'))
    code, first, stderr = run(*args, '--out', 'first.json')
    assert code == 0, stderr
    assert 'note: the envelope was chosen on 200 images, the gains are of 200 others' in first
    content = json.loads((root / 'first.json').read_text())
    assert content['verdict'] == first.splitlines()[-1]
    assert content['policies'] == ['tiny oracle']
    assert [e['field'] for e in content['by_measure']] == ['num_objects', 'mean_relative_area']
    code, _, stderr = run(*args, '--seed', '1', '--other-seeds', 'first.json')
    assert (code, 'must be different trainings' in stderr) == (2, True)
    args = ('--policy', 'other/oracle', '--menu', *menu('other'))
    code, both, stderr = run(*args, '--other-seeds', 'first.json')
    assert code == 0, stderr
    assert both.count('tiny oracle') == 2
    assert first.splitlines()[5] in both  # the first seed's line


def test_what_is_wrong_is_said_in_one_line(root, run):
    (root / 'groups.json').write_text('[1]')
    (root / 'latin.json').write_bytes(b'{"\xff": 1}')
    (root / 'deep.json').write_text('{"a":' + 100_000 * '[')
    good = ['--policy', 'test/oracle', '--menu', *menu('test')]
    for args, message in [
        (['--policy', 'nowhere', '--menu', *menu('test')], 'nowhere is no complete evaluation'),
        (['--policy', 'test/oracle', '--menu', 'test/static_0'], 'menu 2 to 8 static budgets'),
        ([*good, '--groups', 'groups.json'], '--groups: groups.json must be an object'),
        ([*good, '--groups', 'none.json'], '--groups: none.json must be an object'),
        ([*good, '--groups', 'latin.json'], '--groups: latin.json must be an object'),
        ([*good, '--groups', 'deep.json'], '--groups: deep.json must be an object'),
        ([*good, '--other-seeds', 'deep.json'], 'deep.json holds no measured gains'),
        ([*good, '--other-seeds', 'groups.json'], 'groups.json holds no measured gains'),
        ([*good, '--out', 'no/folder.json'], 'argument --out: '),
    ]:
        code, _, stderr = run(*args)
        assert code == 2
        assert message in stderr
        assert 'Traceback' not in stderr
