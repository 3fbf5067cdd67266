"""A detector whose backbone is compiled detects, logs and learns as before."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch._dynamo.utils import counters

from iterbackbone.__main__ import config_root
from iterbackbone.mm.evaluation.image_compute import image_compute
from iterbackbone.mm.traces import TraceCollector
from tests.support.compute import FPN, built, noise, spread_on_noise
from tests.support.networks import relative_error

pytestmark = pytest.mark.filterwarnings('ignore')  # each of torch's own
SIZE = (64, 96)
NEEDS_COMPILER = pytest.mark.skipif(shutil.which('g++') is None, reason='inductor needs g++')


@pytest.fixture
def detector():
    """One stage of up to three iterations, 4 channels."""
    cfg = Config.fromfile(config_root() / FPN)
    cfg.model.backbone.update(base_channels=4, expansion=1, num_stages=1, out_indices=(0,))
    cfg.model.backbone.max_iterations = (3,)
    cfg.model.neck.update(in_channels=[4], out_channels=8)
    cfg.model.rpn_head.update(in_channels=8, feat_channels=8)
    cfg.model.roi_head.bbox_roi_extractor.out_channels = 8
    cfg.model.roi_head.bbox_head.update(in_channels=8, fc_out_channels=16)
    cfg.model.test_cfg.rpn.max_per_img = 20
    model = built(cfg)
    spread_on_noise(model, ['backbone'], SIZE)
    return model


def compiled(model, backend):
    torch._dynamo.reset()
    counters.clear()
    model = copy.deepcopy(model)
    model.backbone = torch.compile(model.backbone, backend=backend)
    return model


def logged(model, number):
    """The prediction for an image, and what the iteration log says of its cost."""
    collector = TraceCollector(model)
    with torch.no_grad():
        (sample,) = model.eval()(**noise(model, SIZE, number), mode='predict')
    (compute,) = image_compute(collector, 1)
    collector.detach()
    return sample.pred_instances, compute


@pytest.mark.parametrize(
    'backend', ['eager', pytest.param('inductor', marks=[pytest.mark.long, NEEDS_COMPILER])]
)
def test_it_detects_and_logs_the_same(detector, backend):
    model = compiled(detector, backend)
    iterations = set()
    for number in range(5):
        found, compute = logged(model, number)
        expected, plain = logged(detector, number)
        assert len(found) == len(expected) > 0
        for key in ('scores', 'bboxes'):
            torch.testing.assert_close(found[key], expected[key], rtol=1e-4, atol=1e-4)
        assert compute.pop('ponder_cost') == pytest.approx(plain.pop('ponder_cost'), abs=1e-4)
        assert compute == plain
        iterations.add(plain['total_iterations'])
    assert len(iterations) > 1
    assert counters['stats']['unique_graphs'] > 0


def gradients(model):
    """Of the losses on one image with one object, and of the ponder cost."""
    torch.manual_seed(0)  # of the proposals' sampler
    data = noise(model, SIZE, 1)
    (sample,) = data['data_samples']
    box = torch.tensor([[5.0, 5, 60, 50]])
    sample.gt_instances = InstanceData(bboxes=box, labels=torch.tensor([0]))
    collector = TraceCollector(model)
    loss, _ = model.parse_losses(model.train()(**data, mode='loss'))
    (call,) = collector.calls
    (loss + call.trace.ponder_cost.sum()).backward()
    collector.detach()
    return {n.replace('_orig_mod.', ''): p.grad for n, p in model.named_parameters()}


def test_it_learns_the_same(detector):
    found, expected = gradients(compiled(detector, 'eager')), gradients(detector)
    assert counters['stats']['unique_graphs'] > 0
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        if gradient.count_nonzero():
            assert relative_error(found[name], gradient) < 1e-4, name
    assert expected['backbone.stages.0.blocks.0.halting.fc2.bias'].abs() > 1e-3
