"""`train` and `test` become the toolbox's own tool, with its options untouched."""

from __future__ import annotations

import os
import sys

import pytest

from iterbackbone.__main__ import config_path, main, tool_path

NAME = 'faster-rcnn_iterative-r50-tiny_fpn_shapes'


@pytest.fixture
def command(monkeypatch, capsys):
    """What a command line becomes."""

    def run(*args, gpus=0):
        found = []
        monkeypatch.setattr(sys, 'argv', ['iterbackbone', *args])
        monkeypatch.setattr(os, 'execv', lambda program, words: found.append(words))
        monkeypatch.setattr('torch.cuda.device_count', lambda: gpus)
        main()
        return found[0]

    return run


def test_all_options_but_gpus_are_handed_over(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'w.pth').touch()
    options = ['w.pth', '--work-dir', 'x', '--launcher', 'none', '--cfg-options', 'a=1', 'b=[2]']
    tool, config = str(tool_path('mmdet', 'test')), str(config_path(NAME))
    assert command('test', NAME, *options) == [sys.executable, tool, config, *options]
    assert command('train', NAME, '--help')[-1] == '--help'


@pytest.mark.parametrize('name', ['iterbackbone://NAME', 'https://host/w.pth', '--help'])
def test_addresses_of_checkpoints_are_handed_over(command, name):
    assert command('test', NAME, name)[-1] == name


@pytest.mark.parametrize('name', ['missing.pth', '.', '', '~nobody_of_this_name/a.pth'])
def test_a_checkpoint_must_be_there(command, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match='2'):
        command('test', NAME, name, '--work-dir', 'work')
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f'error: CHECKPOINT must be a file or an address, got {name!r}')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('args', [('--gpus', '2', NAME, '--amp'), (NAME, '--amp', '--gpus', '2')])
def test_gpus_start_torchrun(command, args):
    torchrun = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
    rest = [str(tool_path('mmdet', 'train')), str(config_path(NAME)), '--amp', '--launcher', 'pytorch']
    assert command('train', *args, gpus=2) == [sys.executable, *torchrun, *rest]


@pytest.mark.parametrize('args', [('--gpus', '-1', NAME), (NAME, '--gpus', '-1')])
def test_usage_is_that_of_the_command(command, args, capsys):
    with pytest.raises(SystemExit, match='2'):
        command('train', *args)
    assert capsys.readouterr().err.startswith('usage: iterbackbone train ')


@pytest.mark.parametrize(
    ('base', 'toolbox'),
    [
        ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'mmdet'),
        ('mmseg::pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py', 'mmseg'),
        ('mmpretrain::resnet/resnet50_8xb32_in1k.py', 'mmpretrain'),
    ],
)
def test_each_toolbox_gets_its_own_configs(command, base, toolbox):
    words = command('train', base)
    assert words[1] == str(tool_path(toolbox, 'train'))
    assert words[2].endswith(base.partition('::')[2])


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['none.py'], "'none.py' is no file, and config must be one that"),
        (['notes.txt'], 'config notes.txt: OSError: Only py/yml/yaml/json type are supported'),
        (['text.py'], 'config text.py: '),
        (['data.py'], 'config must have a model, got data.py'),
        (
            ['pose.py'],
            "config must be of mmdet, mmseg, mmpretrain, got default_scope 'mmpose' in pose.py",
        ),
        (['mmdet::retinanet/retinanet_r51.py'], 'config must be one that mmdet ships, got '),
        (['--work-dir', 'x', NAME], "arguments: --work-dir: the toolbox's options come after CONFIG"),
        ([NAME, '--gpus', '3'], '--gpus must be at most the 1 that torch sees, got 3'),
        ([NAME, '--gpus', '0'], 'argument --gpus: must be at least 1, got 0'),
    ],
)
def test_wrong_input_is_one_line(args, message, command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'notes.txt').write_text('hello')
    (tmp_path / 'text.py').write_text('hello world')
    (tmp_path / 'data.py').write_text('a = 1')
    (tmp_path / 'pose.py').write_text("default_scope = 'mmpose'\nmodel = dict(type='TopdownPose')")
    with pytest.raises(SystemExit, match='2'):
        command('train', *args, gpus=1)
    assert message in capsys.readouterr().err.splitlines()[-1]
