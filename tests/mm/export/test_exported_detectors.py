"""Detectors as ONNX files: the boxes of mmdet's own predict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnx_ir
import onnxruntime as ort
import pytest
import torch
from mmcv.image import imread, imrescale
from torch import nn

from iterbackbone.export.onnx.chains import scopes
from iterbackbone.export.onnx.runtime import open_session
from iterbackbone.files import image_files
from iterbackbone.mm.export.exported import exported, onnx_model
from iterbackbone.mm.export.models import ExportedModel
from iterbackbone.mm.traces import iterative_modules
from tests.support.detector_configs import detector_cfg
from tests.support.detectors import (
    SIZES,
    boxes_of,
    check_same,
    contrasts,
    detector,
    ordered,
    torch_form,
)

pytestmark = pytest.mark.slow


class Case(NamedTuple):
    """A detector and what became of it."""

    name: str
    model: nn.Module
    module: ExportedModel
    file: onnx.ModelProto
    session: ort.InferenceSession

    def run(self, image, **settings):
        """Boxes, scores, labels, iterations and the rest of the file, without MACs."""
        return ordered(self.module.outputs, self.session.run(None, {'image': image, **settings}))


@contextmanager
def changed(case, name, value) -> Iterator[Case]:
    """Model, module and file with another value of the parameter whose name ends so."""
    file = onnx.ModelProto()
    file.CopyFrom(case.file)
    (tensor,) = [t for t in file.graph.initializer if t.name.endswith(name)]
    parameters = [p for part in (case.model, case.module.model) for p in named(part, name)]
    kept = parameters[0].detach().clone()
    for parameter in parameters:
        parameter.data.copy_(torch.as_tensor(value))
    tensor.CopyFrom(onnx.numpy_helper.from_array(parameters[0].detach().numpy(), tensor.name))
    try:
        yield case._replace(file=file, session=open_session(file.SerializeToString()))
    finally:
        for parameter in parameters:
            parameter.data.copy_(kept)


def named(model, name):
    return [p for n, p in model.named_parameters() if n.endswith(name)]


FILES = ('c4', 'retinanet', 'fcos', 'cascade_mask_rcnn', 'detr')
ONE_HEAD = pytest.mark.parametrize('case', FILES[:3], indirect=True)


@pytest.fixture(scope='module', params=FILES)
def case(request):
    cfg = detector_cfg(request.param)
    model = detector(cfg)
    module = exported(model).eval()
    file = onnx_model(module, cfg, {}, 20)
    return Case(request.param, model, module, file, open_session(file.SerializeToString()))


def test_inputs_and_outputs(case):
    shapes = {value.name: value.shape for value in case.session.get_inputs()}
    assert shapes == {'image': [1, 3, 'height', 'width']}
    more = {'cascade_mask_rcnn': ['masks'], 'c4': ['roi_iterations']}.get(case.name, [])
    names = ['boxes', 'scores', 'labels', *more, 'iterations', 'macs']
    assert [output.name for output in case.session.get_outputs()] == names
    types = [value.dtype for value in case.run(contrasts((64, 64))[0])[:4]]
    assert types == [np.float32, np.float32, np.int64, np.int64]
    assert (case.module.task, case.module.reason) == ('detection', None)


def test_norms_in_loops(case):
    """Depthwise convolutions, but on the small maps of regions, where they take longer."""
    _, *loops = scopes(onnx_ir.from_proto(case.file))
    for body, _ in loops:
        kinds = Counter(node.op_type for node in body)
        depthwise = [node for node in body if node.attributes.get_int('group', 1) > 1]
        assert len(depthwise) == (0 if kinds['NonZero'] else 2)


def test_boxes_of_noise(case):
    iterations, labels, counts = set(), set(), set()
    for size in SIZES:
        for image in contrasts(size):
            wanted = boxes_of(case.model, image)
            check_same(case.run(image), wanted)
            check_same(torch_form(case.module, image), wanted)
            iterations.add(tuple(wanted[3][0]))
            labels.update(wanted[2].tolist())
            counts.add(len(wanted[0]))
    assert len(iterations) > 3
    assert labels == {0, 1, 2} or case.name == 'detr'  # whose random queries prefer one class
    assert max(counts) > 15


@pytest.mark.real_data
def test_boxes_of_real_images(case, voc2007):
    files = image_files(Path(voc2007) / 'VOCdevkit/VOC2007/JPEGImages', 4)
    images = [imrescale(imread(str(file), channel_order='rgb'), (160, 120)) for file in files]
    for image in images:
        image = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
        wanted = boxes_of(case.model, image)
        check_same(case.run(image), wanted)
        assert len(wanted[0]) > 0


def test_a_budget(case):
    image = contrasts((70, 90))[2]
    free = case.run(image)
    adaptive = iterative_modules(case.model)
    try:
        for module in adaptive:
            module.set_budget(max_iterations=1)
        wanted = boxes_of(case.model, image)
    finally:
        for module in adaptive:
            module.set_budget()
    found = case.run(image, max_iterations=np.ones_like(case.module.limits))
    check_same(found, wanted)
    assert {n.max() for n in found[3:] if n.dtype == np.int64} == {1}
    assert found[1][0] != pytest.approx(free[1][0], abs=1e-3)


@ONE_HEAD
def test_no_boxes(case):
    """Of scores below the threshold nothing is left."""
    background = torch.tensor([-50.0, -50.0, -50.0, 0.0]) if hasattr(case.model, 'roi_head') else -50.0
    layer = {'FasterRCNN': 'fc_cls', 'RetinaNet': 'retina_cls', 'FCOS': 'conv_cls'}
    check_nothing_found(case, f'{layer[type(case.model).__name__]}.bias', background)


@pytest.mark.parametrize('case', ['c4', 'cascade_mask_rcnn'], indirect=True)
def test_no_proposals(case):
    """All boxes of the RPN lie beyond the right border."""
    boxes_of(case.model, contrasts((64, 64))[0])  # leaves a trace of regions: below none is run
    anchors = case.model.rpn_head.num_base_priors
    check_nothing_found(case, 'rpn_reg.bias', torch.tensor([50.0, 0.0, 0.0, 0.0] * anchors))


def check_nothing_found(case, name, value):
    with changed(case, name, value) as other:
        for size in SIZES:
            image = contrasts(size)[1]
            found = other.run(image)
            assert [x.shape for x in found[:3]] == [(0, 4), (0,), (0,)]
            check_same(found[:4], boxes_of(case.model, image)[:4])
            check_same(torch_form(case.module, image)[:4], found[:4])


@ONE_HEAD
def test_equal_scores(case):
    """Of equals the first ones are taken, by torch and by ONNX Runtime; mmdet takes any."""
    layer = {'FasterRCNN': 'rpn_cls', 'RetinaNet': 'retina_cls', 'FCOS': 'conv_cls'}
    with changed(case, f'{layer[type(case.model).__name__]}.weight', 0.0) as other:
        for size in SIZES:
            image = contrasts(size)[1]
            found = other.run(image)
            check_same(torch_form(case.module, image), found)
            assert len(found[0]) > 0


@ONE_HEAD
def test_the_highest_opset(case):
    """ONNX Runtime has no RoiAlign of opset 22."""
    highest = {'FasterRCNN': 21, 'RetinaNet': 23, 'FCOS': 23}[type(case.model).__name__]
    with pytest.raises(ValueError, match=f'opset must be .* {highest}.*, got {highest + 1}'):
        onnx_model(case.module, detector_cfg('retinanet'), {}, highest + 1)


def test_two_images(case):
    images = np.concatenate(contrasts((64, 64))[:2])
    with pytest.raises(ValueError, match='image must be a single one to get boxes, got 2'):
        case.module(torch.from_numpy(images))
    with pytest.raises(Exception, match='Got: 2 Expected: 1'):
        case.run(images)
