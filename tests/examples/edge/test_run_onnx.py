"""The runner: PyTorch's iterations, budgets, an environment without torch, streams that end early."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import run_onnx
import torch
from images import load
from PIL import Image
from session import Network

from iterbackbone.files import PACKAGE
from tests.support.edge import broken, environment_of, small_file

ROOT = PACKAGE.parent


def iterations_of(module, path):
    image = torch.from_numpy(load(path)).permute(2, 0, 1)[None]
    return module.reference(image)[0]['iterations'][0].tolist()


def printed_iterations(text):
    return {
        m[1]: list(map(int, m[2].split()))
        for m in re.finditer(r'^(\S+)  .*iterations ([\d ]+)  ', text, re.M)
    }


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('budget', [{}, {'max_iterations': 2}, {'halting_threshold': 0.4}], ids=str)
def test_prints_the_iterations_of_pytorch(classifier, pictures, capsys, budget, runtime):
    pytest.importorskip(runtime)
    path, module = classifier
    options = {'max_iterations': '--budget', 'halting_threshold': '--threshold'}
    more = [word for name, value in budget.items() for word in (options[name], str(value))]
    assert run_onnx.main([str(path), str(pictures), '--runtime', runtime, *more]) == 0
    printed = capsys.readouterr().out
    module.model.backbone.set_budget(**budget)
    try:
        wanted = {p.name: iterations_of(module, p) for p in sorted(pictures.iterdir())}
    finally:
        module.model.backbone.set_budget()
    assert printed_iterations(printed) == wanted
    assert budget or len({tuple(each) for each in wanted.values()}) > 1
    assert '6 images' in printed


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
def test_a_stream_without_torch(classifier, pictures, tmp_path, runtime, monkeypatch):
    """An environment with one runtime, numpy and Pillow only."""
    pytest.importorskip(runtime)
    monkeypatch.delenv('PYTHONPATH', raising=False)  # would bring the packages in again
    python = environment_of([runtime, 'numpy', 'pillow'], tmp_path / 'environment')
    for name in ('torch', 'mmengine', 'iterbackbone'):
        assert subprocess.run(
            [python, '-c', f'import {name}'], capture_output=True, cwd=tmp_path
        ).returncode
    runner = ROOT / 'examples' / 'edge' / 'run_onnx.py'
    call = [python, runner, classifier[0], pictures, '--out', tmp_path / 'out']
    printed = subprocess.run(call, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    wanted = {p.name: iterations_of(classifier[1], p) for p in sorted(pictures.iterdir())}
    assert printed_iterations(printed) == wanted
    assert len(list((tmp_path / 'out').iterdir())) == 6


def test_a_video_beside_all_iterations(classifier, tmp_path, capsys):
    video = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*'MJPG'), 5, (32, 32))
    for k in range(3):
        writer.write(np.full((32, 32, 3), 80 * k, np.uint8))
    writer.release()
    call = [str(classifier[0]), str(video), '--full', '--limit', '2', '--out', str(tmp_path / 'out')]
    assert run_onnx.main(call) == 0
    printed = capsys.readouterr().out
    assert list(printed_iterations(printed)) == ['clip-000001', 'clip-000002']
    assert re.search(r'^\d+\.\d ms at all iterations, \d+\.\d images/s$', printed, re.M)
    names = {path.name for path in (tmp_path / 'out').iterdir()}
    assert names == {'clip-000001.png', 'clip-000002.png'}


def test_adaptive_and_full_runs_are_compared_alike(tmp_path, pictures, monkeypatch, capsys):
    """The first run counts for neither, each goes first by turns, and one slow run changes nothing."""
    calls, run = [], Network.__call__

    def timed(network, image, full=False):
        calls.append(full)
        milliseconds = 900.0 if len(calls) == 5 else 40.0 if full else 10.0
        return run(network, image)._replace(milliseconds=milliseconds)

    monkeypatch.setattr(Network, '__call__', timed)
    assert run_onnx.main([broken(tmp_path, 'good'), str(pictures), '--full']) == 0
    assert calls == [False, True, True, False] * 3
    printed = capsys.readouterr().out
    assert '\n10.0 ms an image (median; 5% to 95%: 10.0 to ' in printed
    assert '40.0 ms at all iterations, 25.0 images/s' in printed


def test_the_first_run_is_not_timed(tmp_path, monkeypatch):
    network, runs = Network(small_file(tmp_path / 'm.onnx', 'features', {})), []
    run = network.session.run

    def slow_at_first(feed):
        if not runs:
            time.sleep(0.5)
        runs.append(feed)
        return run(feed)

    monkeypatch.setattr(network.session, 'run', slow_at_first)
    image = np.zeros((4, 4, 3), np.uint8)
    assert network(image).milliseconds < 400
    network(image)
    assert len(runs) == 3


def test_full_runs_all_iterations_whatever_the_budget(classifier, pictures):
    network = Network(classifier[0])
    network.set_budget(1, None)
    image = load(pictures / '5.png')
    assert network(image).iterations == [1, 1]
    assert network(image, full=True).iterations == [3, 6]


def test_what_is_no_video_or_camera_is_said(tmp_path, capfd):
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    assert run_onnx.main([broken(tmp_path, 'good'), str(tmp_path / 'a.mp4')]) == 2
    assert 'cannot be opened as a video or camera' in capfd.readouterr().err
    assert run_onnx.main([broken(tmp_path, 'good'), '\u00b2']) == 2  # a digit, but no number
    assert 'no such file or folder: \u00b2' in capfd.readouterr().err
    assert run_onnx.main([broken(tmp_path, 'good'), '97']) == 2
    assert capfd.readouterr().err == 'run_onnx.py: 97 cannot be opened as a video or camera\n'


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_reader_that_leaves_ends_the_run(tmp_path, unbuffered):
    for k in range(40):
        Image.new('RGB', (8, 8)).save(tmp_path / f'{k}.png')
    model = broken(tmp_path, 'good')
    call = [sys.executable, ROOT / 'examples' / 'edge' / 'run_onnx.py', model, tmp_path]
    env = {**os.environ, 'PYTHONUNBUFFERED': unbuffered}
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        process.stdout.close()
        assert process.stderr.read() == b''
        assert process.wait() == 141


def test_an_interrupted_stream_is_summed_up(tmp_path, pictures, capsys, monkeypatch):
    model, process, calls = broken(tmp_path, 'good'), run_onnx.process, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return process(*args)

    monkeypatch.setattr(run_onnx, 'process', interrupted)
    assert run_onnx.main([model, str(pictures)]) == 0
    printed = capsys.readouterr()
    assert 'interrupted' in printed.err
    assert '2 images: 2.00 iterations' in printed.out


def test_lines_and_bar_do_not_mix(tmp_path, pictures, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    monkeypatch.setattr(sys, 'stdout', sys.stderr)  # one terminal
    assert run_onnx.main([broken(tmp_path, 'good'), str(pictures)]) == 0
    shown = [line.rpartition('\033[K')[2] for line in capsys.readouterr().err.split('\n')[:-1]]
    assert [line.split()[0] for line in shown[:7]] == [*(f'{k}.png' for k in range(6)), '6']
    assert not any('#' in line for line in shown)


def test_images_that_cannot_be_read_are_skipped_and_said(tmp_path, capsys):
    model = broken(tmp_path, 'good')
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'a.jpg').write_bytes(b'no image')
    assert run_onnx.main([model, str(tmp_path / 'images')]) == 1
    assert 'no image was run' in capsys.readouterr().err
    Image.new('RGB', (5, 4)).save(tmp_path / 'images' / 'b.png')
    assert run_onnx.main([model, str(tmp_path / 'images')]) == 0
    printed = capsys.readouterr()
    assert 'a.jpg' in printed.err
    assert '1 images: 2.00 iterations' in printed.out
