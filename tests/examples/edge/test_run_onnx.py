"""The runner: PyTorch's iterations, budgets, pictures, and refusals in plain words."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
import run_onnx
import torch
from images import UserError, load
from onnx import TensorProto, helper
from PIL import Image
from session import Network

from iterbackbone.files import PACKAGE

ROOT = PACKAGE.parent
ABOUT = {'format': 1, 'classes': ['sky', 'sea'], 'palette': [[0, 0, 255], [255, 0, 0]], 'steps': []}
ABOUT |= {'max_iterations': [4], 'halting_threshold': 0.99, 'fixed': None}


def iterations_of(module, path):
    image = torch.from_numpy(load(path)).permute(2, 0, 1)[None]
    return module.reference(image)[0]['iterations'][0].tolist()


def printed_iterations(text):
    return {
        m[1]: list(map(int, m[2].split()))
        for m in re.finditer(r'^(\S+)  .*iterations ([\d ]+)  ', text, re.M)
    }


@pytest.mark.parametrize('budget', [{}, {'max_iterations': 2}, {'halting_threshold': 0.4}], ids=str)
def test_prints_the_iterations_of_pytorch(classifier, pictures, capsys, budget):
    path, module = classifier
    options = {'max_iterations': '--budget', 'halting_threshold': '--threshold'}
    more = [word for name, value in budget.items() for word in (options[name], str(value))]
    assert run_onnx.main([str(path), str(pictures), *more]) == 0
    printed = capsys.readouterr().out
    module.model.backbone.set_budget(**budget)
    try:
        wanted = {p.name: iterations_of(module, p) for p in sorted(pictures.iterdir())}
    finally:
        module.model.backbone.set_budget()
    assert printed_iterations(printed) == wanted
    assert budget or len({tuple(each) for each in wanted.values()}) > 1
    assert '6 images' in printed


def test_a_stream_without_torch(classifier, pictures, tmp_path):
    """An environment with onnxruntime, numpy and Pillow only."""
    environment = tmp_path / 'environment'
    subprocess.run([sys.executable, '-m', 'venv', environment], check=True)
    python = environment / 'bin' / 'python'
    constraints = ROOT / 'requirements' / 'constraints.txt'
    install = [python, '-m', 'pip', 'install', '--quiet', '-c', constraints]
    done = subprocess.run([*install, 'onnxruntime', 'numpy', 'pillow'], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f'pip cannot install onnxruntime here: {done.stderr[-200:]}')
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


def small_file(path, task, outputs, about=(), opset=20, inputs=('max_iterations',)):
    """A file that returns constants, whatever the image."""
    constants = {**outputs, 'iterations': np.array([[2]]), 'macs': np.array(7)}
    nodes = [
        helper.make_node('Constant', [], [name], value=onnx.numpy_helper.from_array(np.asarray(value)))
        for name, value in constants.items()
    ]
    given = [helper.make_tensor_value_info('image', TensorProto.UINT8, [1, 3, 'height', 'width'])]
    given += [helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for name in inputs]
    returned = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype), np.shape(value)
        )
        for name, value in constants.items()
    ]
    defaults = [onnx.numpy_helper.from_array(np.array([4]), name) for name in inputs]
    graph = helper.make_graph(nodes, 'constants', given, returned, defaults)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=10)
    if about is not None:
        helper.set_model_props(
            model, {'iterbackbone': json.dumps({**ABOUT, 'task': task, **dict(about)})}
        )
    path.write_bytes(model.SerializeToString())
    return path


def test_boxes_are_drawn_on_the_image_as_it_was(tmp_path, capsys):
    outputs = {
        'boxes': np.float32([[2, 4, 10, 12], [0, 0, 1, 1]]),
        'scores': np.float32([0.9, 0.1]),
        'labels': np.array([1, 0]),
    }
    steps = {'steps': [{'step': 'resize', 'scale': [16, 16], 'keep_ratio': False}]}
    path = small_file(tmp_path / 'boxes.onnx', 'detection', outputs, steps)
    Image.new('RGB', (64, 32)).save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    assert '1 boxes: sea 0.90' in capsys.readouterr().out
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png'))
    assert drawn.shape == (32, 64, 3)
    # x from 2 to 10 of 16 is 8 to 40 of 64, y from 4 to 12 of 16 is 8 to 24 of 32
    assert drawn[23, 30].any()
    assert drawn[16, 9].any()
    assert not drawn[16, 30].any()
    assert not drawn[30, 60].any()


def test_label_maps_take_the_palette(tmp_path, capsys):
    labels = np.zeros((1, 8, 16), dtype=np.uint8)
    labels[:, :, 8:] = 1
    path = small_file(tmp_path / 'labels.onnx', 'segmentation', {'label_map': labels})
    Image.new('RGB', (64, 64)).save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    assert 'sea 50%' in capsys.readouterr().out
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png'))
    assert drawn[50, 10].tolist() == [0, 0, int(0.55 * 255)]
    assert drawn[50, 50].tolist() == [int(0.55 * 255), 0, 0]


def test_small_images_keep_their_pixels_beside_the_caption(tmp_path):
    scores = {'scores': np.float32([[0.25, 0.75]])}
    path = small_file(tmp_path / 'scores.onnx', 'classification', scores)
    Image.new('RGB', (32, 32), 'white').save(tmp_path / 'a.png')
    assert run_onnx.main([str(path), str(tmp_path / 'a.png'), '--out', str(tmp_path / 'out')]) == 0
    drawn = np.asarray(Image.open(tmp_path / 'out' / 'a.png'))
    assert (drawn[:32, :32] == 255).all()
    assert drawn[32:, :].any()
    assert not drawn[:, -1].any()  # the text ends before the picture does


def test_images_of_one_name_get_pictures_of_their_own(tmp_path):
    model = broken(tmp_path, 'good')
    for name, colour in (('b/a.png', 'red'), ('c/a.png', 'blue'), ('d/a-2.jpg', 'white')):
        (tmp_path / 'in' / name).parent.mkdir(parents=True)
        Image.new('RGB', (99, 30), colour).save(tmp_path / 'in' / name)
    assert run_onnx.main([model, str(tmp_path / 'in'), '--out', str(tmp_path / 'out')]) == 0
    corners = [np.asarray(Image.open(p))[29, 98].tolist() for p in (tmp_path / 'out').iterdir()]
    assert sorted(corners) == [[0, 0, 255], [255, 0, 0], [255, 255, 255]]


def test_pictures_never_replace_images(tmp_path, pictures, capsys):
    model = broken(tmp_path, 'good')
    before = {p.name: p.read_bytes() for p in pictures.iterdir()}
    assert run_onnx.main([model, str(pictures), '--out', str(pictures)]) == 2
    assert 'holds images that pictures could replace' in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in pictures.iterdir()} == before


def test_a_picture_that_cannot_be_written_ends_the_run(tmp_path, pictures, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(run_onnx, 'draw', full)
    model = broken(tmp_path, 'good')
    assert run_onnx.main([model, str(pictures), '--out', str(tmp_path / 'out')]) == 2
    assert 'cannot write' in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error(tmp_path):
    for k in range(40):
        Image.new('RGB', (8, 8)).save(tmp_path / f'{k}.png')
    model = broken(tmp_path, 'good')
    call = [sys.executable, '-u', ROOT / 'examples' / 'edge' / 'run_onnx.py', model, tmp_path]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b''
        assert process.wait() == 0


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


def broken(tmp_path, name):
    if name == 'truncated':
        small_file(tmp_path / 'whole.onnx', 'features', {'features_0': np.zeros((9, 99))})
        (tmp_path / 'm.onnx').write_bytes((tmp_path / 'whole.onnx').read_bytes()[:500])
    elif name == 'text':
        (tmp_path / 'm.onnx').write_text('hello')
    elif name == 'undescribed':
        small_file(tmp_path / 'm.onnx', 'features', {}, about=None)
    elif name == 'newer opset':
        small_file(tmp_path / 'm.onnx', 'features', {}, opset=99)
    elif name == 'newer format':
        small_file(tmp_path / 'm.onnx', 'features', {}, {'format': 2})
    elif name == 'fixed':
        small_file(tmp_path / 'm.onnx', 'features', {}, {'fixed': 3})
    elif name == 'good':
        small_file(tmp_path / 'm.onnx', 'features', {})
    return str(tmp_path / 'm.onnx')


@pytest.mark.parametrize(
    ('name', 'more', 'message'),
    [
        ('missing', [], 'no such file'),
        ('truncated', [], 'no ONNX file, or only a part of one: copy or export it again'),
        ('text', [], 'no ONNX file, or only a part of one: copy or export it again'),
        ('undescribed', [], 'does not describe itself: write it by tools/export_onnx.py'),
        ('newer opset', [], 'needs a newer ONNX Runtime than'),
        ('newer format', [], 'has format 2, this runner reads 1'),
        ('fixed', ['--budget', '2'], 'always runs 3 iterations: export it without --fixed'),
        ('good', ['--budget', '5'], '--budget must be between 1 and 4, got 5'),
        ('good', ['--budget', '0'], '--budget must be between 1 and 4, got 0'),
        ('good', ['--threshold', '1'], '--threshold must be above 0 and at most 0.99, got 1'),
        ('good', ['nowhere'], 'no such file or folder: nowhere'),
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
    with pytest.raises(UserError, match=r'ONNX Runtime cannot run an image of \(4, 4, 3\)'):
        Network(path)(np.zeros((4, 4, 3), np.uint8))
