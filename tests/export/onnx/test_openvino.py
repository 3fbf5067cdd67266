"""Adaptive files in OpenVINO: the iterations, results and MACs of PyTorch."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from iterbackbone.core.macs import mac_table
from iterbackbone.export.onnx.runtime import open_session
from tests.export.onnx.test_graph import exported
from tests.support.networks import images, tiny_net, varied

pytest.importorskip('openvino')


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    net = tiny_net(num_stages=2, max_iterations=(3, 6), strides=(1, 2))
    return varied(net, images(8), gain=0.5).eval()


@pytest.fixture(scope='module')
def session(network):
    return open_session(exported(network).SerializeToString(), runtime='openvino')


@torch.no_grad()
def assert_agrees(session, network, x, **budget):
    """With float64. The steep halting units multiply rounding: float32 in PyTorch is 1e-5 off."""
    last, iterations, macs = session.run(
        ['features_1', 'iterations', 'macs'], {'x': x.numpy(), **budget}
    )
    wanted = network(x.double())[1].numpy()
    assert np.array_equal(iterations, network.iterations().numpy())
    assert np.abs(last - wanted).max() <= 5e-5 * np.abs(wanted).max()
    table = mac_table(network, tuple(x.shape[-2:]))
    assert macs == pytest.approx(table.total(iterations[0], network.trace.limits), rel=1e-6)
    return tuple(iterations[0])


def test_200_images_stop_where_pytorch_stops(session, network):
    network = copy.deepcopy(network).double()
    sizes = [(32, 32), (24, 40), (31, 17)]
    seen = {assert_agrees(session, network, images(1, *sizes[k % 3])) for k in range(200)}
    assert len(seen) > 3


def test_the_budget_is_an_input(session, network):
    network = copy.deepcopy(network).double()
    network.set_budget(max_iterations=(2, 4), halting_threshold=0.7)
    budget = {'max_iterations': np.array([2, 4]), 'halting_threshold': np.float32(0.7)}
    for x in images(6).split(1):
        assert_agrees(session, network, x, **budget)


def test_macs_do_not_overflow():
    """OpenVINO counts int64 in 32 bits."""
    network = tiny_net(num_stages=1, max_iterations=(2,), base_channels=64, out_indices=(0,)).eval()
    model = exported(network, names=['features_0'])
    session = open_session(model.SerializeToString(), runtime='openvino')
    found = session.run(['macs'], {'x': np.zeros((1, 3, 180, 200), dtype=np.float32)})[0]
    wanted = mac_table(network, (180, 200)).highest
    assert wanted > 2**31
    assert found == pytest.approx(wanted, rel=1e-6)
