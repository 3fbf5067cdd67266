"""Which networks are trained, and what a training leaves for the table."""

from __future__ import annotations

import json
import sys

import pytest

from experiments.block_start.run import arm_name, arms, budgets, main, parse_args
from experiments.block_start.summarise import main as summarise
from tests.support.packed import packed


@pytest.fixture
def call(monkeypatch):
    def arguments(*words):
        monkeypatch.setattr(sys, 'argv', ['run.py', *map(str, words)])

    return arguments


def test_the_plain_resnet_is_trained_once(call):
    call('--out', 'x', '--modes', 'one', 'unshared', '--gammas', '1', '0.1')
    found = list(arms(parse_args()))
    assert found == [
        *(('one', gamma, relu) for gamma in (1.0, 0.1) for relu in (False, True)),
        ('unshared', None, None),
    ]
    names = [arm_name('short', *arm) for arm in found]
    assert (names[0], names[-1]) == ('short_one_gamma1_linear', 'short_unshared')


def test_both_ends_are_budgets():
    assert budgets((1, 1, 5)) == [(1, 1, k) for k in range(1, 6)]
    lowest, *_, highest = budgets((3, 4, 6))
    assert (lowest, highest) == ((1, 1, 1), (3, 4, 6))


def test_between_one_and_two_iterations_the_last_stage_deepens_first():
    assert budgets((3, 4, 6))[:4] == [(1, 1, 1), (1, 1, 2), (1, 2, 2), (2, 2, 2)]
    assert budgets((1, 4, 6))[:3] == [(1, 1, 1), (1, 1, 2), (1, 2, 2)]


def test_unshared_has_one_shape(call, capsys):
    call('--out', 'x', '--modes', 'unshared', '--shape', 'deep')
    with pytest.raises(SystemExit, match='2'):
        parse_args()
    assert 'unshared needs --shape short' in capsys.readouterr().err


def test_from_a_training_to_the_table(tmp_path, call, capsys):
    for part in ('train', 'test'):
        packed(tmp_path, part, 16, side=32)
    options = [f'{part}_dataloader.dataset.data_root={tmp_path}' for part in ('train', 'test')]
    options += ['train_dataloader.batch_size=4', 'model.backbone.base_channels=2']
    options += ['model.head.in_channels=32']
    out = tmp_path / 'out'
    command = ('--out', out, '--epochs', 1, '--gammas', 0.1, '--relu', 0, '--modes')
    call(*command, 'anytime-teacher', 'unshared', '--cfg-options', *options)
    main()
    files = sorted(out.glob('*.json'))
    assert [f.name for f in files] == [
        'short_anytime-teacher_gamma0.1_linear_seed0.json',
        'short_unshared_seed0.json',
    ]
    anytime, plain = (json.loads(f.read_text()) for f in files)
    assert [row['depths'] for row in anytime['budgets']] == [list(b) for b in budgets((3, 4, 6))]
    assert anytime['budgets'][-1]['macs'] == anytime['budgets'][-1]['macs_full']
    assert (plain['gamma'], plain['relu'], len(plain['budgets'])) == (None, None, 1)
    assert {row['images'] for run in (anytime, plain) for row in run['budgets']} == {16}

    before = files[0].stat().st_mtime_ns
    main()  # what is there is kept
    assert files[0].stat().st_mtime_ns == before

    capsys.readouterr()
    call(out)
    summarise()
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith('| short_anytime-teacher_gamma0.1_linear | 1 | ')
    assert lines[2].endswith('at 1.00 |')
    share = 100 * plain['budgets'][0]['correct'] / 16
    assert lines[3] == f'| short_unshared | 1 | {share:.1f} |'
