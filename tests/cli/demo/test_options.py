"""What the command refuses, before a model is loaded."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from iterbackbone.__main__ import main
from iterbackbone.cli.demo import options
from iterbackbone.cli.paths import any_config
from iterbackbone.pretrained import find_weights


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['none.jpg'], "a video, or the number of a camera, got 'none.jpg'"),
        (['a.png', '--out', '.'], '--out must be another folder than that of the pictures, got .'),
        (['.', '--out', '../pictures'], '--out must be another folder than that of the pictures'),
        (['a.png', '--show'], '--show needs a display, and there is none'),
        (['a.png'], "'no_config' is no file, and config must be one that"),
        (['a.png', '--budget', 'half'], "argument --budget: invalid float value: 'half'"),
        (['a.png', '--budget', '7'], '--budget must be above 0 and at most 1, got 7'),
        (['a.png', '--score', '2'], '--score must be 0 to 1, got 2'),
        (['a.png', '--score', '-0.1'], '--score must be 0 to 1, got -0.1'),
        (['a.png', '--score', 'nan'], '--score must be 0 to 1, got nan'),
        (['a.png', '--score', 'low'], "argument --score: invalid float value: 'low'"),
    ],
)
def test_wrong_options(options, message, tmp_path, monkeypatch, capsys):
    (tmp_path / 'pictures').mkdir()
    monkeypatch.chdir(tmp_path / 'pictures')
    cv2.imwrite('a.png', np.zeros((8, 8, 3), np.uint8))
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    command = ['iterbackbone', 'demo', *options, '--config', 'no_config', '--checkpoint', 'no.pth']
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit, match='2'):
        main()
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in (tmp_path / 'pictures').iterdir()] == ['a.png']


def test_an_output_that_cannot_be_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('a.png', np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'demo', 'a.png', '--out', 'a.png/x'])
    with pytest.raises(SystemExit, match='2'):
        main()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("argument --out: must be a folder, or one that can be made, got 'a.png/x'")


@pytest.mark.parametrize('option', ['--config', '--checkpoint'])
def test_config_and_checkpoint_belong_together(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('a.png', np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'demo', 'a.png', option, 'x'])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert 'give both or none' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('missing', 'name'),
    [('timm', 'fcos_iterative'), ('mmseg', 'fcos_iterative'), (None, 'fcos_efficientnet')],
)
def test_the_shipped_detector_that_can_be_built_here(missing, name, monkeypatch):
    monkeypatch.setattr(options, 'find_spec', lambda package: None if package == missing else object())
    config, checkpoint = options.shipped_detector()
    assert config.startswith(name)
    assert any_config(config).is_file()
    assert find_weights(checkpoint.removeprefix('iterbackbone://')).task == 'detection'
