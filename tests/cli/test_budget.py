"""The command that compares the shares of a fitted checkpoint."""

from __future__ import annotations

import sys

import pytest
import torch
from PIL import Image

from iterbackbone.__main__ import main, tool_path
from iterbackbone.mm.configs import build_model
from tests.support.anytime_runs import classifier_config
from tests.support.processes import Program
from tests.support.tool_runs import run

START = 'from iterbackbone.__main__ import main; main()'


@pytest.mark.slow
def test_from_a_checkpoint_to_the_picture(tmp_path):
    cfg = classifier_config(tmp_path / 'data', tmp_path)
    config, checkpoint, fitted = (tmp_path / name for name in ('config.py', 'a.pth', 'fitted.pth'))
    cfg.dump(config)
    torch.manual_seed(0)
    torch.save({'state_dict': build_model(cfg).state_dict()}, checkpoint)
    images = ['--fit', 'train', '--calibrate', 'val', '--trained-on-these']
    run([tool_path('iterbackbone', 'fit_halting'), config, checkpoint, '--out', fitted, *images])
    out = tmp_path / 'out' / 'curve.png'
    fitted.with_suffix('.json').unlink()  # the checkpoint is enough
    command = ['budget', config, fitted, '--images', '10', '--out', out]
    code, printed, errors = Program(*command, code=START).wait(timeout=600)
    assert code == 0, errors[-3000:]
    assert 'accuracy/top1' in printed
    assert f'{out}, {out.with_suffix(".json")}' in printed
    with Image.open(out) as picture:
        assert picture.format == 'PNG'


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['none.py', 'a.pth'], "'none.py' is no file, and config must be one that"),
        (['a.py', 'a.pth', '--out', 'a.jpg'], '--out must be a .png file, got a.jpg'),
        (['a.py', 'a.pth', '--out', ''], '--out must be a .png file, got .'),
        (['a.py', 'a.pth', '--out', 'folder.png'], '--out must be a .png file, got folder.png'),
        (['a.py', 'a.pth', '--images', '0'], 'argument --images: must be at least 1, got 0'),
        (['a.py', 'a.pth', '--cfg-options', 'a=1', 'b'], '--cfg-options must be KEY=VALUE, got b'),
        (['a.py', 'a.pth', '--out', 'file/b.png'], "one that can be made, got 'file'"),
        (['a.py', 'a.pth', '--out', 'a.png'], '--out must not be named as CHECKPOINT: its .json'),
        (['a.py', 'none.pth'], 'checkpoint must be a file, got none.pth'),
        (['a.py', 'text.pth'], 'checkpoint text.pth cannot be read'),
    ],
)
def test_wrong_input_is_one_line(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.py').write_text("model = dict(type='mmpretrain.ImageClassifier')")
    (tmp_path / 'file').touch()
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'text.pth').write_text('text')
    monkeypatch.setattr(sys, 'argv', ['iterbackbone', 'budget', *args])
    with pytest.raises(SystemExit, match='2'):
        main()
    assert message in capsys.readouterr().err.splitlines()[-1]
