"""int8 files: halting as in float32, results close, errors in plain words."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from iterbackbone.export.onnx.calibration import ranges
from iterbackbone.export.onnx.chains import scopes
from iterbackbone.export.onnx.images import load_image
from iterbackbone.export.onnx.int8 import quantized
from iterbackbone.export.onnx.model_file import read_model
from iterbackbone.export.onnx.parity import agreement
from iterbackbone.export.onnx.runtime import open_session
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
    smaller = quantized(model, description, images[::2])
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
    assert same.iterations >= 0.75
    assert max(same.errors.values()) < 0.1
    assert len(smaller.SerializeToString()) < len(model.SerializeToString())


def test_images_halt_apart(exported_file, images):
    """Or the comparisons above would say little."""
    session = open_session(str(exported_file))
    iterations = np.concatenate([session.run(None, {'image': image})[-2] for image in images])
    assert len(np.unique(iterations, axis=0)) >= 3


def test_ranges_are_those_of_all_iterations_and_images(exported_file, images):
    model, description = read_model(exported_file)
    first, second, both = (ranges(model, some) for some in (images[:1], images[1:2], images[:2]))
    for key in both:
        assert np.mean([first[key], second[key]], axis=0) == pytest.approx(both[key])
    states = [scope for scope in scopes(model) if scope.loop]
    assert len(states) == (0 if description['fixed'] else 2)
    for scope in states:  # a sum of what is never negative: it grows from the loop's first state
        start = both['', scope.loop.input[3]]
        assert both[scope.loop.name, scope.chains[0].x][1] > start[1]


def test_int8_needs_images():
    with pytest.raises(ValueError, match='images must be at least one for int8'):
        quantized(onnx.ModelProto(), {}, [])
