"""int8 and float16 files: halting as in float32, results close, errors in plain words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmcv.transforms import CenterCrop
from mmengine.config import Config
from PIL import Image
from torch import nn

from iterbackbone import IterativeResNet
from iterbackbone.deployment.agreement import agreement
from iterbackbone.deployment.calibration import ranges
from iterbackbone.deployment.chains import scopes
from iterbackbone.deployment.graph import save
from iterbackbone.deployment.images import load_image
from iterbackbone.deployment.quantization import compressed, read_model
from iterbackbone.deployment.runtime import open_session
from iterbackbone.files import image_files
from iterbackbone.mm.exporting.models import ExportedModel
from iterbackbone.mm.exporting.onnx_file import onnx_model
from iterbackbone.mm.model_building import build_model  # noqa: F401  registers everything

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))
import quantize_onnx

pytestmark = pytest.mark.slow

HALTING = ('Gemm', 'Sigmoid', 'ReduceMean', 'Where', 'Less', 'Add', 'Mul')
REAL = dict(base_channels=8, expansion=2, num_stages=2, max_iterations=(3, 5), stem='cifar')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """24 images of 24x32 pixels, dull ones and bright ones."""
    folder = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for k in range(24):
        coarse = rng.normal(rng.uniform(60, 190), rng.uniform(5, 60), (4, 4, 3)).clip(0, 255)
        cv2.imwrite(str(folder / f'{k:02}.png'), cv2.resize(coarse.astype(np.uint8), (32, 24)))
    return folder


@pytest.fixture(scope='module')
def images(folder):
    return [load_image(path, []) for path in image_files(folder, 24)]


@torch.no_grad()
def spread(network, x):
    """Norms that differ between iterations, some with negative factors; images that halt apart."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            size = module.weight.shape
            sign = torch.where(torch.rand(size, generator=generator) < 0.2, -1.0, 1.0)
            module.weight.copy_(sign * (0.5 + torch.rand(size, generator=generator)))
            module.weight[0] = 0.0  # no bias can be counted in its units
            module.bias.copy_(0.3 * torch.randn(size, generator=generator))
    stem = network.stem.norm
    stem.running_mean.zero_()
    stem.running_var.fill_(1e4)
    for stage in network.iterative_stages():
        for block in stage.iterative_blocks():
            _spread_scores(network, block.halting, x)
    return network


def _spread_scores(network, unit, x):
    seen = []
    hook = unit.register_forward_hook(
        lambda module, pooled, score: seen.append(unit.fc1(torch.cat(pooled, dim=1)).relu())
    )
    unit.fc2.weight.zero_()
    unit.fc2.bias.fill_(-20.0)
    network(x)
    hook.remove()
    logits = seen[0] @ torch.ones(64)
    scale = 2.0 / logits.std()
    unit.fc2.weight.fill_(scale)
    unit.fc2.bias.fill_(-1.0 - scale * logits.median())


class Backbone(nn.Module):
    """What ExportedModel wraps."""

    def __init__(self, x):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = spread(IterativeResNet(**REAL).eval(), x.flip(1))


@pytest.fixture(scope='module', params=[None, 3], ids=['loops', 'fixed'])
def exported_file(request, tmp_path_factory, images):
    """A float32 file, with loops or without."""
    model = Backbone(torch.from_numpy(np.concatenate(images)).float())
    if request.param:
        model.backbone.set_budget(max_iterations=request.param)
    module = ExportedModel(model, request.param).eval()
    path = tmp_path_factory.mktemp('files') / 'model.onnx'
    save(onnx_model(module, Config({}), {}, 20), path)
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


@pytest.mark.parametrize(('precision', 'kind'), [('int8', 'QLinearConv'), ('fp16', 'Conv')])
def test_only_convolutions_change_and_results_stay_close(exported_file, images, precision, kind):
    model, description = read_model(exported_file)
    smaller = compressed(model, description, precision, images[::2])
    onnx.checker.check_model(smaller, full_check=True)
    before, after = list(all_nodes(model)), list(all_nodes(smaller))
    kernels, norms = (9, 4) if description['fixed'] is None else (21, 0)  # norms as convolutions
    assert len(outputs_of(before, ['Conv'])) == kernels + norms
    assert len(outputs_of(after, [kind])) == kernels + (norms if precision == 'fp16' else 0)
    scaled = {node.input[1] for node in before if node.op_type == 'Conv'}
    kept = [name for name in outputs_of(before, HALTING) if name not in scaled]
    assert [name for name in outputs_of(after, HALTING) if not name.endswith('.fp16')] == kept
    old, new = element_types(model), element_types(smaller)
    halting = [name for name in outputs_of(after, HALTING) if name in old and name in new]
    assert len(halting) > 20
    assert all(new[name] == old[name] for name in halting)
    same = agreement(model.SerializeToString(), smaller.SerializeToString(), images)
    assert same.iterations >= (0.75 if precision == 'int8' else 0.95)
    assert max(same.errors.values()) < (0.1 if precision == 'int8' else 0.01)
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


def test_the_tool_writes_a_file_that_says_what_it_is(exported_file, folder, tmp_path, capsys):
    out = tmp_path / 'small.onnx'
    arguments = [str(exported_file), '--out', str(out), '--to', 'int8']
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
    with pytest.raises(ValueError, match='images must be at least one for int8'):
        compressed(onnx.ModelProto(), {}, 'int8')


def test_steps_of_a_description(tmp_path):
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.full((40, 80, 3), (1, 2, 3), dtype=np.uint8))
    keep = {'step': 'resize', 'scale': [60, 100], 'keep_ratio': True}
    short, crop = {'step': 'resize_short', 'edge': 20}, {'step': 'center_crop', 'size': [16, 18]}
    assert load_image(path, [keep]).shape == (1, 3, 50, 100)
    assert load_image(path, [{**keep, 'keep_ratio': False}]).shape == (1, 3, 100, 60)
    assert load_image(path, [short]).shape == (1, 3, 20, 40)
    assert load_image(path, [short, crop]).shape == (1, 3, 16, 18)
    assert load_image(path, [])[0, :, 0, 0].tolist() == [3, 2, 1]
    with pytest.raises(ValueError, match="got 'pad'"):
        load_image(path, [{'step': 'pad'}])


def test_calibration_images_are_cropped_as_mmcv_crops(tmp_path):
    for width in range(20, 28):  # odd and even remainders
        pixels = np.random.default_rng(0).integers(0, 256, (16, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'a.png')
        found = load_image(tmp_path / 'a.png', [{'step': 'center_crop', 'size': [16, 16]}])
        assert np.array_equal(found[0].transpose(1, 2, 0), CenterCrop(16)({'img': pixels})['img'])
