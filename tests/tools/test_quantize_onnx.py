"""tools/quantize_onnx.py: the file it writes, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import onnx
import pytest
from support_quantization import write_file, write_images

from iterbackbone.deployment.images import load_image
from iterbackbone.files import image_files

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))
import quantize_onnx


@pytest.mark.slow
@pytest.mark.parametrize('fixed', [None, 3])
def test_writes_a_file_that_says_what_it_is(tmp_path, capsys, fixed):
    folder, file, out = (tmp_path / name for name in ('images', 'model.onnx', 'small.onnx'))
    folder.mkdir()
    write_images(folder)
    write_file(file, [load_image(path, []) for path in image_files(folder, 24)], fixed)
    arguments = [str(file), '--out', str(out), '--to', 'int8']
    assert quantize_onnx.main([*arguments, '--images', str(folder), '--num-images', '8']) == 0
    assert 'same iterations' in capsys.readouterr().out
    entry = onnx.load(out).metadata_props[0]
    assert json.loads(entry.value)['precision'] == 'int8'
    again = [str(out), '--out', str(tmp_path / 'again.onnx'), '--to', 'fp16']
    assert 'FILE must be float32' in refused(again, capsys)
    assert not (tmp_path / 'again.onnx').exists()


def refused(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        quantize_onnx.main(arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_files_that_are_refused(tmp_path, capsys):
    value = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node('Identity', ['x'], ['y'])
    result = onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_model(onnx.helper.make_graph([node], 'other', [value], [result]))
    foreign, half = tmp_path / 'foreign.onnx', tmp_path / 'half.onnx'
    onnx.save(other, foreign)
    half.write_bytes(foreign.read_bytes()[:-3])
    rest = ['--out', str(tmp_path / 'out.onnx'), '--to', 'fp16']
    assert f'{foreign} has no description' in refused([str(foreign), *rest], capsys)
    assert f'{half} cannot be decoded' in refused([str(half), *rest], capsys)
    assert 'No such file' in refused([str(tmp_path / 'none.onnx'), *rest], capsys)


def test_int8_needs_real_images(tmp_path, capsys):
    arguments = ['x.onnx', '--out', str(tmp_path / 'out.onnx'), '--to', 'int8']
    assert '--images: int8 needs a folder of real images' in refused(arguments, capsys)
    assert 'must be a folder' in refused([*arguments, '--images', str(tmp_path / 'no')], capsys)
