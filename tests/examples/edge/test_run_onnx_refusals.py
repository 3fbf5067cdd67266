"""What the runner refuses, in plain words."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import run_onnx
from images import UserError
from session import Network
from support_edge import broken, small_file


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
