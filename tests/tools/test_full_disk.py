"""A full disk is said in one line by every tool that writes, and a good file stays.

Every write to /dev/full fails as on a full disk. make_shapes_voc, quickstart, export_onnx and
resnet_to_iterative have such a test beside their own.
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from iterbackbone.__main__ import config_path
from iterbackbone.mm.fitting.fit_report import FitReport
from iterbackbone.tensor_file import save_whole
from tests.support.edge import small_file
from tests.support.gain_logs import planted_logs
from tests.support.logs import correlated, write_log


def analyze_iterations(folder, _):
    write_log(folder / 'log', correlated(12))
    return [folder / 'log', '--out', folder / 'out'], 'out/report.html'


def count_macs(folder, _):
    config = config_path('iterative-r152-e1_1xb128_cifar10')
    return [config, '--input', '32', '32', '--json', folder / 'macs.json'], 'macs.json'


def fit_halting_weights(folder, monkeypatch):
    return _fit_halting(folder, monkeypatch), 'fitted.pth'


def fit_halting_figures(folder, monkeypatch):
    return _fit_halting(folder, monkeypatch), 'fitted.json'


def _fit_halting(folder, monkeypatch):
    """Without the fitting itself."""

    def fit_checkpoint(config, checkpoint, out, *_):
        save_whole({'state_dict': {}}, out)
        empty = dict.fromkeys(FitReport._fields, None)
        report = FitReport(**empty)
        monkeypatch.setattr(FitReport, 'text', lambda self: 'figures')
        return report

    monkeypatch.setattr('fit_halting.fit_checkpoint', fit_checkpoint)
    spec = ['--fit', 'train', '--calibrate', 'val']
    return ['config.py', 'a.pth', '--out', folder / 'fitted.pth', *spec]


def measure_gain(folder, _):
    planted_logs(folder, ('oracle',), n=100)
    menu = [folder / f'static_{k}' for k in range(4)]
    rest = ['--menu', *menu, '--out', folder / 'gain.json']
    return ['--policy', folder / 'oracle', *rest], 'gain.json'


def quantize_onnx(folder, monkeypatch):
    """Without the rewriting itself."""
    monkeypatch.setattr('quantize_onnx.quantized', lambda model, *_: model)
    monkeypatch.setattr('quantize_onnx.agreement', lambda *_: None)
    Image.new('RGB', (8, 8)).save(folder / 'image.png')
    file, out = folder / 'model.onnx', folder / 'small.onnx'
    small_file(file, 'classification', {'scores': np.ones((1, 2), np.float32)})
    return [file, '--out', out, '--images', folder], 'small.onnx'


TOOLS = [
    analyze_iterations,
    count_macs,
    fit_halting_weights,
    fit_halting_figures,
    measure_gain,
    quantize_onnx,
]


@pytest.mark.parametrize('prepare', TOOLS)
def test_one_line_and_the_good_file_stays(prepare, tmp_path, monkeypatch, capsys):
    tool = importlib.import_module(prepare.__name__.removesuffix('_weights').removesuffix('_figures'))
    arguments, name = prepare(tmp_path, monkeypatch)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('good')
    path.with_name(f'{path.name}.part').symlink_to('/dev/full')
    monkeypatch.setattr('sys.argv', ['tool', *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        tool.main()
    assert stop.value.code == 2
    message = capsys.readouterr().err.split('error: ', 1)[1]
    assert message.count('\n') == 1
    assert '[Errno 28] No space left on device' in message
    assert path.name in message
    assert path.read_text() == 'good'
    assert not path.with_name(f'{path.name}.part').is_symlink()


def test_weights_on_a_full_disk_are_an_os_error(tmp_path):
    (tmp_path / 'a.pth.part').symlink_to('/dev/full')
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.pth'"):
        save_whole({'a': torch.zeros(100_000)}, tmp_path / 'a.pth')
    assert not list(tmp_path.iterdir())
