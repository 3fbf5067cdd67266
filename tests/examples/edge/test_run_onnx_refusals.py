"""What the runner refuses, in plain words."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import run_onnx
from images import UserError
from PIL import Image
from runtimes import RUNTIMES
from session import Network

from tests.support.edge import broken, small_file


@pytest.mark.parametrize(
    ('name', 'more', 'message'),
    [
        ('missing', [], 'no such file'),
        ('truncated', [], 'no ONNX file, or only a part of one: copy or export it again'),
        ('text', [], 'no ONNX file, or only a part of one: copy or export it again'),
        ('undescribed', [], 'does not describe itself: write it by tools/export_onnx.py'),
        ('newer opset', [], 'needs a newer onnxruntime than'),
        ('newer format', [], 'has format 3, this runner reads 2'),
        ('fixed', ['--budget', '2'], 'always runs 3 iterations: export it without --fixed'),
        ('good', ['--budget', '5'], '--budget must be between 1 and 4, got 5'),
        ('good', ['--budget', '0'], '--budget must be between 1 and 4, got 0'),
        ('good', ['--threshold', '1'], '--threshold must be above 0 and at most 0.99, got 1'),
        ('good', ['nowhere'], 'no such file or folder: nowhere'),
        ('fixed', ['--full'], '--full needs a file that was exported without --fixed'),
        ('good', ['--limit', '0'], 'argument --limit: must be at least 1, got 0'),
        ('good', ['--threads', '100000'], 'argument --threads: must be at most'),
        ('good', ['--score-thr', '7'], 'argument --score-thr: must be between 0 and 1, got 7'),
        ('good', ['--out', __file__], 'cannot be a folder: File exists'),
        ('good', ['--threads', '-1'], 'argument --threads: must be at least 0, got -1'),
        ('good', ['--out', '/no/folder/here'], 'argument --out: must be in a folder that exists'),
    ],
)
def test_refusals(tmp_path, pictures, capsys, name, more, message):
    try:
        code = run_onnx.main([broken(tmp_path, name), str(pictures), *more])
    except SystemExit as stopped:  # argparse
        code = stopped.code
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
@pytest.mark.parametrize('kind', ['truncated', 'text', 'empty'])
def test_half_a_file_is_called_so_whatever_its_name(tmp_path, pictures, capsys, runtime, kind):
    pytest.importorskip(runtime)
    path = tmp_path / 'model-opset18.onnx'
    path.write_bytes(b'' if kind == 'empty' else Path(broken(tmp_path, kind)).read_bytes())
    assert run_onnx.main([str(path), str(pictures), '--runtime', runtime]) == 2
    message = f'{path} is no ONNX file, or only a part of one: copy or export it again'
    assert message in capsys.readouterr().err


def test_int8_with_loops_is_for_onnxruntime(tmp_path, pictures, capsys, monkeypatch):
    pytest.importorskip('openvino')

    def fails(path, threads):
        raise RuntimeError(f'{path}: FrontEnd API failed: QLinearConv-20: scale elements')

    monkeypatch.setitem(RUNTIMES, 'openvino', fails)
    path = broken(tmp_path, 'good')
    assert run_onnx.main([path, str(pictures), '--runtime', 'openvino']) == 2
    assert 'cannot read: --runtime onnxruntime\n' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('description', 'message'),
    [
        ('[1]', 'its description is no JSON object'),
        ('"text"', 'its description is no JSON object'),
        ('{', 'its description is no JSON object'),
        ('[' * 100_000, 'its description is no JSON object'),
        ('{}', 'it has format None, this runner reads 2'),
        ({'task': 3}, 'its description has task 3'),
        ({'classes': 'abc'}, "its description has classes 'abc'"),
        ({'classes': [1]}, r'its description has classes [1]'),
        ({'palette': [[1, 2]]}, r'its description has palette [[1, 2]]'),
        ({'palette': [[1, 2, 300]]}, r'its description has palette [[1, 2, 300]]'),
        ({'steps': {}}, 'its description has steps {}'),
        ({'steps': ['resize']}, "its description has steps ['resize']"),
        ({'steps': [{'step': 'resize'}]}, "its description has steps [{'step': 'resize'}]"),
        ({'steps': [{'step': 'center_crop', 'size': [0, 4]}]}, 'its description has steps'),
        ({'steps': [{'step': 'resize_short', 'edge': 'a'}]}, 'its description has steps'),
        ({'max_iterations': []}, 'its description has max_iterations []'),
        ({'max_iterations': ['4']}, "its description has max_iterations ['4']"),
        ({'halting_threshold': None}, 'its description has halting_threshold None'),
        ({'halting_threshold': float('nan')}, 'its description has halting_threshold nan'),
        ({'fixed': 'no'}, "its description has fixed 'no'"),
        ({'task': 'detection'}, "a file of the task 'detection' must take an image and return"),
    ],
)
def test_descriptions_that_are_refused(tmp_path, pictures, capsys, description, message):
    about = description if isinstance(description, dict) else {}
    path = small_file(tmp_path / 'm.onnx', 'features', {}, about)
    if isinstance(description, str):
        model = onnx.load(path)
        onnx.helper.set_model_props(model, {'iterbackbone': description})
        onnx.save(model, path)
    assert run_onnx.main([str(path), str(pictures), '--budget', '1', '--threshold', '0.5']) == 2
    printed = capsys.readouterr().err
    assert f'{path}: {message}' in printed
    assert printed.count('\n') == 1


@pytest.mark.parametrize(
    ('task', 'outputs'),
    [
        ('classification', {'scores': np.float32([0.5, 0.5])}),
        ('segmentation', {'label_map': np.zeros((1, 4, 4), np.float32)}),
        ('segmentation', {'label_map': np.zeros((4, 4), np.uint8)}),
        ('detection', {'boxes': np.zeros((2, 4)), 'scores': np.zeros(2), 'labels': np.array([0, -1])}),
        ('detection', {'boxes': np.zeros((2, 4)), 'scores': np.zeros(3), 'labels': np.array([0, 1])}),
        ('detection', {'boxes': np.zeros((2, 5)), 'scores': np.zeros(2), 'labels': np.array([0, 1])}),
        ('features', {'iterations': np.array([2])}),
        ('features', {'macs': np.array([1.5])}),
    ],
)
def test_results_that_are_refused(tmp_path, pictures, capsys, task, outputs):
    path = small_file(tmp_path / 'm.onnx', task, outputs)
    assert run_onnx.main([str(path), str(pictures), '--out', str(tmp_path / 'out')]) == 1
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 7
    assert all(line.startswith('skipped: the file returned ') for line in printed[:-1])


def test_no_control_sequence_reaches_the_terminal(tmp_path, capsys):
    """From names of classes, outputs and files."""
    Image.new('RGB', (9, 9)).save(tmp_path / 'a\x1b]0;b\x07.png')
    (tmp_path / 'broken\x1b[2J.png').write_text('no image')
    evil = 'sky\x1b[31m\n\r\u202eyks'
    scores = {'scores': np.float32([[0.1, 0.9]])}
    path = small_file(tmp_path / 'm.onnx', 'classification', scores, {'classes': ['sea', evil]})
    assert run_onnx.main([str(path), str(tmp_path), '--out', str(tmp_path / 'out')]) == 0
    printed = ''.join(capsys.readouterr())
    assert 'sky?[31m ?yks 90%' in printed
    assert 'skipped: ' in printed
    assert all(c.isprintable() or c == '\n' for c in printed)


def test_boxes_and_labels_out_of_range_are_drawn(tmp_path):
    boxes = np.float32([[np.nan, -np.inf, 1e30, 5], [8, 8, 2, 2]])
    outputs = {'boxes': boxes, 'scores': np.float32([0.9, 0.8]), 'labels': np.array([700, 1])}
    path = small_file(tmp_path / 'boxes.onnx', 'detection', outputs)
    labels = small_file(tmp_path / 'l.onnx', 'segmentation', {'label_map': np.full((1, 9, 9), 255)})
    Image.new('RGB', (16, 16)).save(tmp_path / 'a.png')
    for model in (path, labels):
        assert run_onnx.main([str(model), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'o')]) == 0


def test_a_step_that_makes_too_many_pixels_is_refused(tmp_path, pictures, capsys):
    steps = [{'step': 'resize', 'scale': [10**6, 10**6], 'keep_ratio': False}]
    path = small_file(tmp_path / 'm.onnx', 'features', {}, {'steps': steps})
    assert run_onnx.main([str(path), str(pictures)]) == 1
    assert 'a step would make 1000000x1000000 pixels' in capsys.readouterr().err


@pytest.mark.parametrize('kind', ['EPS', 'GIF', 'PPM'])
def test_images_of_other_formats_are_not_opened(tmp_path, kind, capsys):
    """Pillow starts Ghostscript for an EPS image, whatever its name."""
    Image.new('RGB', (9, 9)).save(tmp_path / 'a.png', format=kind)
    assert run_onnx.main([broken(tmp_path, 'good'), str(tmp_path / 'a.png')]) == 1
    assert 'cannot identify image file' in capsys.readouterr().err


def test_a_pipe_among_images_is_passed_over(tmp_path, capsys):
    os.mkfifo(tmp_path / 'a.png')
    assert run_onnx.main([broken(tmp_path, 'good'), str(tmp_path)]) == 2
    assert 'no image found' in capsys.readouterr().err


@pytest.mark.parametrize(
    'wrong', [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_arrays_of_another_kind_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match=r'image must be \(H, W, 3\) uint8 in RGB, got'):
        Network(small_file(tmp_path / 'm.onnx', 'features', {}))(wrong)


def test_what_the_runtime_cannot_do_is_said(tmp_path):
    path = small_file(tmp_path / 'm.onnx', 'features', {})
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 8
    onnx.save(model, path)
    with pytest.raises(UserError, match=r'the runtime cannot run an image of \(4, 4, 3\)'):
        Network(path)(np.zeros((4, 4, 3), np.uint8))
