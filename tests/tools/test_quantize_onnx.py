"""tools/quantize_onnx.py: the file it writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import quantize_onnx
from PIL import Image

from iterbackbone.export.onnx.model_file import read_model
from tests.support.edge import small_file
from tests.support.quantization import write_all
from tests.support.shared_files import made_once

MEAN = 'mean relative difference'


@pytest.mark.slow
def test_writes_a_file_that_says_what_it_is(tmp_path_factory, tmp_path, capsys):
    folder = made_once(tmp_path_factory, 'exported_backbone', write_all)
    out = tmp_path / 'small.onnx'
    images = ['--images', str(folder / 'images'), '--num-images', '8']
    assert quantize_onnx.main([str(folder / 'model.onnx'), '--out', str(out), *images]) == 0
    assert 'same iterations' in capsys.readouterr().out
    entry = onnx.load(out).metadata_props[0]
    assert json.loads(entry.value)['precision'] == 'int8'
    again = [str(out), '--out', str(tmp_path / 'again.onnx'), *images]
    assert 'FILE must be float32' in refused(again, capsys)
    assert not (tmp_path / 'again.onnx').exists()


def detector(path, *scores):
    """A file that finds a box for each score in any image."""
    finds = {'boxes': np.ones((len(scores), 4), np.float32), 'scores': np.float32(scores)}
    finds['labels'] = np.zeros(len(scores), np.int64)
    return small_file(path, 'detection', finds)


@pytest.mark.parametrize(
    ('scores', 'unpaired', 'error'),
    [([0.5, 0.25], '0.0e+00', '2.0e-01'), ([0.5], '3.3e-01', '0.0e+00')],
)
def test_other_numbers_of_boxes_are_said(tmp_path, capsys, monkeypatch, scores, unpaired, error):
    Image.new('RGB', (8, 8)).save(tmp_path / 'image.png')
    other = onnx.load(detector(tmp_path / 'other.onnx', *scores))
    monkeypatch.setattr('quantize_onnx.quantized', lambda *_: other)
    monkeypatch.setattr('quantize_onnx.int8_overflows', lambda: False)
    file = detector(tmp_path / 'model.onnx', 0.5, 0.125)
    assert quantize_onnx.main(arguments_for(file, tmp_path)) == 0
    printed = [' '.join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert printed[0] == 'compared 1 images; same iterations 100.0%'
    assert printed[1:-2] == [
        f'macs {MEAN} 0.0e+00',
        f'boxes {MEAN} 0.0e+00',
        f'scores {MEAN} {error}',
        'labels share of other labels 0.0e+00',
        f'unpaired share of boxes that only one has {unpaired}',
    ]


@pytest.mark.parametrize('overflows', [False, True])
@pytest.mark.parametrize('options', [[], ['--reduce-range']])
def test_overflow_is_said(tmp_path, capsys, monkeypatch, overflows, options):
    Image.new('RGB', (8, 8)).save(tmp_path / 'image.png')
    file = detector(tmp_path / 'model.onnx', 0.5)
    monkeypatch.setattr('quantize_onnx.quantized', lambda model, *_: model)
    monkeypatch.setattr('quantize_onnx.int8_overflows', lambda: overflows)
    assert quantize_onnx.main([*arguments_for(file, tmp_path), *options]) == 0
    assert ('use --reduce-range' in capsys.readouterr().out) == (overflows and not options)


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
    rest = ['--out', str(tmp_path / 'out.onnx'), '--images', str(tmp_path)]
    assert f'{foreign} has no such description' in refused([str(foreign), *rest], capsys)
    assert f'FILE must be a valid ONNX file, {half} is none' in refused([str(half), *rest], capsys)
    assert 'No such file' in refused([str(tmp_path / 'none.onnx'), *rest], capsys)


def test_the_ranges_need_real_images(tmp_path, capsys):
    arguments = ['x.onnx', '--out', str(tmp_path / 'out.onnx')]
    assert 'required: --images' in refused(arguments, capsys)
    assert 'must be a folder' in refused([*arguments, '--images', str(tmp_path / 'no')], capsys)


def one_line(arguments, capsys):
    """The message of a refusal, which must be the only line behind the usage."""
    message = refused(arguments, capsys).split(': error: ', 1)[1]
    assert message.count('\n') == 1
    assert message[:-1].isprintable()
    return message


def arguments_for(file, tmp_path):
    return [str(file), '--out', str(tmp_path / 'out.onnx'), '--images', str(tmp_path)]


def test_the_file_is_not_replaced_by_itself(tmp_path, capsys):
    file = detector(tmp_path / 'out.onnx', 0.5)
    before = file.read_bytes()
    message = '--out: must be another file than FILE'
    assert message in one_line(arguments_for(file, tmp_path), capsys)
    assert file.read_bytes() == before


def test_no_part_of_a_file_is_taken_for_a_file(tmp_path, capsys):
    scores = {'scores': np.float32([[0.25, 0.75]])}
    whole = small_file(tmp_path / 'whole.onnx', 'classification', scores).read_bytes()
    for length in range(0, len(whole), 37):
        (tmp_path / 'part.onnx').write_bytes(whole[:length])
        assert 'FILE must be' in one_line(arguments_for(tmp_path / 'part.onnx', tmp_path), capsys)
    read_model(tmp_path / 'whole.onnx')


@pytest.mark.parametrize(
    ('description', 'message'),
    [
        ('[1]', 'has no such description: Expected `object`, got `array`'),
        ('7', 'has no such description: Expected `object`, got `int`'),
        ('{', 'has no such description'),
        ('[' * 100_000, 'has no such description'),
        ('{}', 'Expected `array`, got `null`'),
        ('{"steps": [{"step": "turn"}]}', "Invalid value 'turn' - at `$[0].step`"),
        ('{"steps": [{"step": ["resize"]}]}', 'Expected `str`, got `list` - at `$[0].step`'),
        ('{"steps": [{"step": "resize", "scale": 3}]}', 'got `int` - at `$[0].scale`'),
        ('{"steps": [{"step": "resize_short", "edge": 1e3}]}', 'got `float` - at `$[0].edge`'),
        ('{"steps": [{"step": "resize_short", "edge": 16385}]}', '<= 16384 - at `$[0].edge`'),
        ('{"steps": [{"step": "center_crop", "size": [9, 0]}]}', '>= 1 - at `$[0].size[1]`'),
        ('{"steps": [], "precision": "\\u001b[2J"}', "is '\\x1b[2J' already"),
    ],
)
def test_descriptions_that_are_refused(tmp_path, capsys, description, message):
    model = onnx.load(small_file(tmp_path / 'a.onnx', 'features', {}))
    onnx.helper.set_model_props(model, {'iterbackbone': description})
    onnx.save(model, tmp_path / 'a.onnx')
    assert message in one_line(arguments_for(tmp_path / 'a.onnx', tmp_path), capsys)


def test_a_description_that_is_no_text_is_refused(tmp_path, capsys):
    content = Path(small_file(tmp_path / 'a.onnx', 'features', {})).read_bytes()
    path = tmp_path / 'b.onnx'
    path.write_bytes(content.replace(b'"steps"', b'"\xffteps"'))
    assert f'{path} has no such description' in one_line(arguments_for(path, tmp_path), capsys)


@pytest.mark.parametrize('inside', [False, True])
@pytest.mark.parametrize('location', ['secret', '../secret'])
def test_weights_are_not_looked_for_in_other_folders(tmp_path, capsys, monkeypatch, inside, location):
    model = onnx.load(small_file(tmp_path / 'a.onnx', 'features', {}))
    tensor = model.graph.node[0].attribute[0].t if inside else model.graph.initializer[0]
    tensor.ClearField('raw_data')
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value=location)
    folder = tmp_path / 'models'
    folder.mkdir()
    (folder / 'a.onnx').write_bytes(model.SerializeToString())
    (tmp_path / 'secret').write_bytes(bytes(8))
    monkeypatch.chdir(tmp_path)
    message = one_line(arguments_for(folder / 'a.onnx', tmp_path), capsys)
    assert 'FILE must be a valid ONNX file' in message


def test_graphs_that_are_refused(tmp_path, capsys):
    model = onnx.load(small_file(tmp_path / 'a.onnx', 'features', {}))
    name = model.graph.node[0].output[0]
    for change, message in (
        (lambda m: m.graph.output.pop(), 'FILE must have image, iterations, macs, '),
        (lambda m: m.graph.node.add(op_type='Foo\x1b[2J', output=['x']), 'FILE must be a v'),
        (lambda m: m.graph.node.add(op_type='Relu', input=['y'], output=['x']), 'FILE must be a v'),
        (
            lambda m: m.graph.node.add(op_type='Relu', input=[name], output=[name]),
            'FILE must be a valid',
        ),
    ):
        changed = onnx.ModelProto.FromString(model.SerializeToString())
        change(changed)
        (tmp_path / 'b.onnx').write_bytes(changed.SerializeToString())
        assert message in one_line(arguments_for(tmp_path / 'b.onnx', tmp_path), capsys)
