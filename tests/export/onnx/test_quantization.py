"""int8 files: halting as in float32, results close, errors in plain words."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir
import pytest
import torch
from torch import nn

from iterbackbone.export.onnx.calibration import ranges
from iterbackbone.export.onnx.chains import chains, scopes
from iterbackbone.export.onnx.graph import export_graph
from iterbackbone.export.onnx.int8 import quantized
from iterbackbone.export.onnx.model_file import load_image, read_model
from iterbackbone.export.onnx.parity import agreement
from iterbackbone.export.onnx.runtime import open_session, run
from iterbackbone.files import image_files
from tests.support.quantization import write_all, write_file, write_images
from tests.support.shared_files import made_once

pytestmark = pytest.mark.slow

HALTING = ('Gemm', 'Sigmoid', 'ReduceMean', 'Where', 'Less', 'Add', 'Mul')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp('images')
    write_images(folder)
    return [load_image(path, []) for path in image_files(folder, 24)]


@pytest.fixture(scope='module', params=[None, 3], ids=['loops', 'fixed'])
def exported_file(request, tmp_path_factory, images):
    """A float32 file, with loops or without."""
    if request.param is None:
        return made_once(tmp_path_factory, 'exported_backbone', write_all) / 'model.onnx'
    path = tmp_path_factory.mktemp('files') / 'model.onnx'
    write_file(path, images, request.param)
    return path


def all_nodes(model):
    for node in model.graph.node:
        yield node
        for attribute in node.attribute:
            yield from attribute.g.node


def outputs_of(nodes, kinds):
    return [node.output[0] for node in nodes if node.op_type in kinds]


def element_types(model):
    """Element type of each tensor that shape inference knows, loops included."""
    inferred = onnx.shape_inference.infer_shapes(model)
    graphs = [inferred.graph, *(a.g for n in inferred.graph.node for a in n.attribute)]
    return {v.name: v.type.tensor_type.elem_type for g in graphs for v in g.value_info}


def test_only_convolutions_change_and_results_stay_close(exported_file, images):
    model, description = read_model(exported_file)
    smaller = quantized(model, description, images[::2], reduce_range=True)
    onnx.checker.check_model(smaller, full_check=True)
    before, after = list(all_nodes(model)), list(all_nodes(smaller))
    kernels, norms = (9, 4) if description['fixed'] is None else (21, 0)  # norms as convolutions
    assert len(outputs_of(before, ['Conv'])) == kernels + norms
    if description['fixed'] is None:
        assert len(outputs_of(after, ['QLinearConv'])) == kernels
    else:  # all but the stem
        assert len([node for node in after if node.name.endswith('.int8')]) == kernels - 1
        assert not outputs_of(after, ['QLinearConv'])
    scaled = {node.input[1] for node in before if node.op_type == 'Conv'}
    kept = [name for name in outputs_of(before, HALTING) if name not in scaled]
    assert outputs_of(after, HALTING) == kept
    old, new = element_types(model), element_types(smaller)
    halting = [name for name in outputs_of(after, HALTING) if name in old and name in new]
    assert len(halting) > 20
    assert all(new[name] == old[name] for name in halting)
    same = agreement(model.SerializeToString(), smaller.SerializeToString(), images)
    assert same.same_iterations >= 0.75
    assert max(same.mean().values()) < 0.1
    assert len(smaller.SerializeToString()) < len(model.SerializeToString())


def test_images_halt_apart(exported_file, images):
    """Or the comparisons above would say little."""
    session = open_session(str(exported_file))
    iterations = np.concatenate([session.run(None, {'image': image})[-2] for image in images])
    assert len(np.unique(iterations, axis=0)) >= 3


def test_ranges_are_those_of_all_iterations_and_images(exported_file, images):
    model, description = read_model(exported_file)
    first, second, both = (ranges(model, some) for some in (images[:1], images[1:2], images[:2]))
    assert np.mean([first, second], axis=0) == pytest.approx(np.array(both))
    found = [
        (chain, loop) for graph, loop in scopes(onnx_ir.from_proto(model)) for chain in chains(graph)
    ]
    limits = {chain.y: y for (chain, _), (_, y) in zip(found, both, strict=True)}
    loops = dict.fromkeys(loop for _, loop in found if loop)
    assert len(loops) == (0 if description['fixed'] else 2)
    for loop in loops:  # a sum of what is never negative: it grows from the loop's first state
        state = next(x for (_, each), (x, _) in zip(found, both, strict=True) if each is loop)
        assert state[1] > limits[loop.inputs[3]][1]


def test_int8_needs_images():
    with pytest.raises(ValueError, match='images must be at least one for int8'):
        quantized(onnx.ModelProto(), {}, [])


class Pixels(nn.Sequential):
    """Layers that begin with an image of whole numbers."""

    def forward(self, image):
        return super().forward(image.float() / 16.0)


def test_relu6_is_the_range_of_the_numbers():
    """Else a convolution's whole range, of which nothing above 6 counts, would share 256 numbers."""
    model = exported(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU6(), nn.Conv2d(8, 8, 1))
    smaller = quantized(model, {}, noise(), reduce_range=True)
    kinds = [node.op_type for node in smaller.graph.node]
    assert kinds.count('QLinearConv') == 2
    assert kinds.count('DequantizeLinear') == 1
    assert 'Clip' not in kinds
    scales = [t for t in smaller.graph.initializer if t.name.endswith('.scale')]
    assert any(onnx.numpy_helper.to_array(t) == pytest.approx(6 / 255) for t in scales)
    assert mean_error(model, smaller) < 0.03


def test_limits_without_zero_stay():
    """8-bit numbers always hold 0, so they would not keep what lies below such a lower limit."""
    model = exported(nn.Conv2d(3, 8, 3), nn.Hardtanh(1.0, 5.0), nn.Conv2d(8, 8, 1))
    smaller = quantized(model, {}, noise(), reduce_range=True)
    assert [node.op_type for node in smaller.graph.node].count('Clip') == 1
    assert mean_error(model, smaller) < 0.05


def test_what_stays_float32_reads_float32():
    """In QDQ form inputs of four channels do."""
    model = exported(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1))
    smaller = quantized(model, {'fixed': 1}, noise(), reduce_range=True)
    onnx.checker.check_model(smaller, full_check=True)
    assert len([node for node in smaller.graph.node if node.name.endswith('.int8')]) == 1
    assert mean_error(model, smaller) < 0.03


@pytest.mark.parametrize(('reduce_range', 'largest'), [(False, 127), (True, 63)])
def test_the_range_of_the_weights(reduce_range, largest):
    model = exported(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 1))
    smaller = quantized(model, {}, noise(), reduce_range)
    weights = [
        onnx.numpy_helper.to_array(t) for t in smaller.graph.initializer if t.name.endswith('.int8')
    ]
    assert len(weights) == 2
    for weight in weights:
        assert (np.abs(weight.astype(int)).reshape(len(weight), -1).max(axis=1) == largest).all()


def test_reduced_weights_overflow_on_no_cpu():
    """Where two products share 16 bits, 2 * 255 * 127 is too much: half of a white image was lost."""
    conv = nn.Conv2d(3, 4, 3)
    module = Pixels(conv).eval()
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)
    white = torch.full((1, 3, 16, 16), 255, dtype=torch.uint8)
    model = export_graph(module, {'image': white}, {}, ['features'], opset=20)
    smaller = quantized(model, {}, [white.numpy()], reduce_range=True)
    found = run(open_session(smaller.SerializeToString()), {'image': white.numpy()})['features']
    assert found == pytest.approx(27 * 255 / 16.0, rel=0.01)


def exported(*layers):
    generator = torch.Generator().manual_seed(0)
    for conv in layers:
        if isinstance(conv, nn.Conv2d):
            nn.init.normal_(conv.weight, std=0.2, generator=generator)
            nn.init.zeros_(conv.bias)
    module = Pixels(*layers).eval()
    example = {'image': torch.zeros(1, 3, 16, 16, dtype=torch.uint8)}
    return export_graph(module, example, {}, ['features'], opset=20)


def noise():
    return list(np.random.default_rng(0).integers(0, 256, (4, 1, 3, 16, 16), dtype=np.uint8))


def mean_error(model, smaller):
    """Of the features, as a share of their mean size."""
    sessions = [open_session(each.SerializeToString()) for each in (model, smaller)]
    before, after = (np.stack([run(s, {'image': x})['features'] for x in noise()]) for s in sessions)
    return np.abs(after - before).mean() / np.abs(before).mean()
