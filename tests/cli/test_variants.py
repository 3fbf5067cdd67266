"""The command that compares the backbones; what it measures is in tests/pretrained."""

from __future__ import annotations

import sys

import pytest

from iterbackbone.__main__ import main
from iterbackbone.pretrained import variants as module


def called(monkeypatch, tmp_path, *arguments):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(module, 'list_models', lambda: ['iterative_resnet50', 'iterative_resnet50_w32'])
    monkeypatch.setattr(module, 'ROUNDS', 2)
    monkeypatch.setattr(module, '_memories', lambda names, *_: [1.0] * len(names))
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'variants', *arguments])
    main()


def test_the_table(monkeypatch, tmp_path, capsys):
    called(monkeypatch, tmp_path, '--input', '32', '48', '--target-ms', '1e6')
    header, small, large, figure, where, *advice, recommended = capsys.readouterr().out.splitlines()
    assert header.split()[0] == 'backbone'
    assert small.split()[:4] == ['iterative_resnet50_w32', '2.4', '0.0121', '0.034']
    assert small.endswith('%')
    assert len(large.split()) == 7
    assert [line.split(':')[0] for line in advice] == ['CPU', 'GPU', 'edge']
    assert figure.startswith('iterative_resnet50_w32: top-1')
    assert where.endswith('measured now')
    assert recommended.startswith('Recommended: iterative_resnet50: the most MACs')
    called(monkeypatch, tmp_path, '--input', '32', '48')
    assert capsys.readouterr().out.splitlines()[-4].endswith('measured before')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--target-ms', '0'], '--target-ms must be above 0, got 0'),
        (['--target-ms', 'nan'], '--target-ms must be above 0, got nan'),
        (['--target-ms', 'fast'], 'argument --target-ms: invalid float value'),
        (['--input', '0', '32'], 'argument --input: must be at least 1, got 0'),
        (['--device', 'gpu'], "device must be one that torch can use, got 'gpu'"),
    ],
)
def test_wrong_input_is_one_line(arguments, message, monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit, match='2'):
        called(monkeypatch, tmp_path, *arguments)
    assert message in capsys.readouterr().err.splitlines()[-1]
