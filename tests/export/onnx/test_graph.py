"""ONNX files of the adaptive loop: what is in them and what ONNX Runtime makes of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from iterbackbone.export import ExportForm
from iterbackbone.export.onnx.graph import describe, export_graph, save, set_defaults
from iterbackbone.export.onnx.runtime import open_session
from tests.support.networks import images, tiny_net, varied

NAMES = ['features_0', 'features_1', 'iterations', 'macs']
DYNAMIC = {'x': {0: 'batch', 2: 'height', 3: 'width'}}


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    net = tiny_net(num_stages=2, max_iterations=(3, 6), base_channels=32, strides=(1, 2))
    return varied(net, images(8)).eval()


def exported(network, fixed=None, names=NAMES[:2]):
    form = ExportForm(network, fixed)
    inputs = {'x': torch.zeros(2, 3, 32, 32)}
    if fixed is None:
        inputs['max_iterations'] = torch.tensor(form.limits)
        inputs['halting_threshold'] = torch.tensor(form.threshold)
    model = export_graph(form, inputs, DYNAMIC, [*names, 'iterations', 'macs'], opset=20)
    set_defaults(model, {name: value.numpy() for name, value in inputs.items() if name != 'x'})
    return model


@pytest.fixture(scope='module')
def model(network):
    return exported(network)


@pytest.fixture(scope='module')
def fixed_model(network):
    return exported(network, fixed=2)


@pytest.fixture(scope='module')
def session(model):
    return open_session(model.SerializeToString())


def operators(graph):
    """All of a graph and of the graphs inside it."""
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            yield from operators(attribute.g)


def run(session, x, **budget):
    feed = {'x': x.numpy(), **{name: np.array(value) for name, value in budget.items()}}
    return dict(zip(NAMES, session.run(None, feed), strict=True))


def assert_agrees(found, network, x):
    with torch.no_grad():
        features = network(x)
    assert np.array_equal(found['iterations'], network.iterations().numpy())
    for k, feature in enumerate(features):
        wanted = feature.numpy()
        assert np.abs(found[f'features_{k}'] - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_images_of_any_size_stop_where_pytorch_stops(session, network):
    seen = set()
    for size in ((32, 32), (32, 32), (32, 32), (45, 31), (17, 64), (33, 40)):
        x = images(1, *size)
        found = run(session, x)
        assert_agrees(found, network, x)
        seen.add(tuple(found['iterations'][0]))
    assert len(seen) > 1


def test_a_batch_ends_with_its_last_image(session, network):
    x = images(8)
    found = run(session, x)
    assert_agrees(found, network, x)
    assert len(set(map(tuple, found['iterations'].tolist()))) > 1
    alone = [int(run(session, one)['macs']) for one in x.split(1)]
    assert found['macs'] >= max(alone)


@pytest.mark.parametrize(
    'budget',
    [
        {'max_iterations': [2, 2]},
        {'max_iterations': [1, 4]},
        {'halting_threshold': np.float32(0.4)},
        {'max_iterations': [3, 2], 'halting_threshold': np.float32(0.7)},
    ],
    ids=str,
)
def test_the_budget_is_an_input(session, network, budget):
    x = images(6)
    try:
        network.set_budget(**{k: v if k == 'max_iterations' else float(v) for k, v in budget.items()})
        assert_agrees(run(session, x, **budget), network, x)
    finally:
        network.set_budget()


def test_one_loop_a_block_holds_its_own_weights_once(model, network):
    loops = [node for node in model.graph.node if node.op_type == 'Loop']
    assert len(loops) == 2
    for loop, stage in zip(loops, network.stages, strict=True):
        body = next(attribute.g for attribute in loop.attribute if attribute.name == 'body')
        shapes = [tuple(tensor.dims) for tensor in body.initializer]
        for conv in (stage.blocks[0].conv1, stage.blocks[0].conv2, stage.blocks[0].conv3):
            assert shapes.count(tuple(conv.weight.shape)) == 1
    outside = {tuple(tensor.dims) for tensor in model.graph.initializer}
    assert tuple(network.stages[1].blocks[0].conv2.weight.shape) not in outside


def weight_bytes(graph):
    """Of all a graph and the graphs inside it hold."""
    constants = [attribute.t for node in graph.node for attribute in node.attribute]
    inner = [attribute.g for node in graph.node for attribute in node.attribute]
    here = sum(len(tensor.raw_data) for tensor in [*graph.initializer, *constants])
    return here + sum(map(weight_bytes, inner))


@pytest.mark.parametrize('name', ['model', 'fixed_model'])
def test_the_bytes_are_those_of_the_shared_weights(network, name, request):
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    stacked = sum(4 * p.numel() for norm in norms for p in norm.parameters())
    weights = sum(4 * p.numel() for p in network.parameters()) - stacked
    model = request.getfixturevalue(name)
    assert weights < weight_bytes(model.graph) <= 1.05 * weights + stacked
    assert len(model.SerializeToString()) - weight_bytes(model.graph) < 200_000  # whatever the width


def test_fixed_has_no_loop_and_no_budget(network, fixed_model):
    model = fixed_model
    assert not {'Loop', 'If', 'Scan'} & set(operators(model.graph))
    assert [value.name for value in model.graph.input] == ['x']
    held = {tensor.name for tensor in model.graph.initializer}
    norms = [node for node in model.graph.node if node.op_type == 'BatchNormalization']
    assert len(norms) == 2 * 2 * 3  # blocks, iterations, convolutions
    assert all(set(node.input[1:]) <= held for node in norms)  # some runtimes want constants
    x = images(3, 24, 40)
    network.set_budget(max_iterations=2)
    try:
        assert_agrees(run(open_session(model.SerializeToString()), x), network, x)
    finally:
        network.set_budget()


def test_halting_is_computed_in_float32(model):
    types = {
        value.type.tensor_type.elem_type
        for loop in model.graph.node
        if loop.op_type == 'Loop'
        for attribute in loop.attribute
        for value in attribute.g.output
    }
    assert types == {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL}


def test_says_what_it_is_and_nothing_of_where_it_was_made(model, tmp_path):
    describe(model, {'task': 'features'})
    save(model, tmp_path / 'a.onnx')
    content = (tmp_path / 'a.onnx').read_bytes()
    assert b'site-packages' not in content
    assert str(tmp_path.home()).encode() + b'/' not in content
    assert ort.InferenceSession(content).get_modelmeta().custom_metadata_map == {
        'iterbackbone': '{"task": "features"}'
    }


def test_a_broken_model_does_not_replace_a_good_file(model, tmp_path):
    path = tmp_path / 'a.onnx'
    save(model, path)
    good = path.read_bytes()
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    broken.graph.node[0].input[0] = 'nowhere'
    with pytest.raises(onnx.checker.ValidationError):
        save(broken, path)
    assert path.read_bytes() == good
    assert [p.name for p in tmp_path.iterdir()] == ['a.onnx']


@pytest.mark.parametrize('opset', [17, 24])
def test_opsets_outside_what_is_supported_are_refused(network, opset):
    with pytest.raises(ValueError, match=f'opset must be between 18 and 23, got {opset}'):
        export_graph(ExportForm(network), {'x': torch.zeros(1, 3, 8, 8)}, DYNAMIC, NAMES, opset)
