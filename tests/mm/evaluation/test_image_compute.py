"""From calls to each image's iterations and MACs, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iterbackbone import HaltingTrace, IterativeResLayer, IterativeResNet
from iterbackbone.core.macs import mac_table
from iterbackbone.core.resnet_counterpart import resnet_macs
from iterbackbone.mm.evaluation.image_compute import image_compute
from iterbackbone.mm.traces import Call, TraceCollector


def network():
    return IterativeResNet(base_channels=4, max_iterations=(2, 3), num_stages=2, blocks_per_stage=2)


def trace(iterations, size, limits, executed=None):
    iterations = torch.tensor(iterations)
    executed = iterations if executed is None else torch.tensor(executed)
    return HaltingTrace(iterations, executed, iterations + 0.5, limits, size, None)


def collector(calls, *modules):
    listener = TraceCollector(nn.ModuleList(modules))
    listener.calls.extend(calls)
    return listener


def test_one_call():
    net, size, limits = network(), (32, 48), (2, 2, 3, 3)
    calls = [Call(net, trace([[1, 2, 3, 1], [2, 2, 1, 1]], size, limits), None)]
    first, second = image_compute(collector(calls, net), 2)
    table = mac_table(net, size)
    assert first['iterations_per_block'] == [1, 2, 3, 1]
    assert first['iterations'] == [3, 4]
    assert first['total_iterations'] == 7
    assert first['ponder_cost'] == 1 + 2 + 3 + 1 + 4 * 0.5
    assert first['num_calls'] == 1
    assert first['macs'] == table.total([1, 2, 3, 1])
    assert first['macs_full'] == table.highest
    assert first['macs_lowest'] == second['macs_lowest'] == table.lowest
    assert first['macs_resnet'] == resnet_macs(net, size) != table.highest
    assert first['input_size'] == [32, 48]
    assert second['iterations'] == [4, 2]
    assert second['macs'] < first['macs'] < table.highest


def test_several_calls_mean_iterations_and_sum_macs():
    net, limits = network(), (2, 2, 3, 3)
    sizes = [(32, 32), (64, 32)]
    calls = [
        Call(net, trace([[1, 1, 1, 1]], sizes[0], limits), None),
        Call(net, trace([[2, 2, 2, 3]], sizes[1], limits), None),
    ]
    (image,) = image_compute(collector(calls, net), 1)
    assert image['iterations_per_block'] == [1.5, 1.5, 1.5, 2.0]
    assert image['iterations'] == [3.0, 3.5]
    assert image['num_calls'] == 2
    first, second = (mac_table(net, size) for size in sizes)
    assert image['macs'] == first.total([1, 1, 1, 1]) + second.total([2, 2, 2, 3])
    assert image['macs_full'] == first.highest + second.highest
    assert image['macs_lowest'] == first.lowest + second.lowest
    assert image['macs_resnet'] == sum(resnet_macs(net, size) for size in sizes)
    assert image['input_size'] == [32, 32]


def test_masked_execution_costs_what_was_executed():
    net, limits = network(), (2, 2, 3, 3)
    masked = trace([[1, 1, 1, 1]], (32, 32), limits, executed=[[2, 2, 3, 3]])
    (image,) = image_compute(collector([Call(net, masked, None)], net), 1)
    assert image['iterations_per_block'] == [1, 1, 1, 1]
    assert image['macs'] == image['macs_full'] == mac_table(net, (32, 32)).highest


def test_rois_belong_to_their_images():
    net = network()
    layer = IterativeResLayer(base_channels=4, stage=2, max_iterations=4)
    owners = torch.tensor([0, 0, 2])
    calls = [
        Call(net, trace([[1, 1, 1, 1]] * 3, (32, 32), (2, 2, 3, 3)), None),
        Call(layer, trace([[1], [4], [2]], (14, 14), (4,)), owners),
    ]
    images = image_compute(collector(calls, net, layer), 3)
    body, head = mac_table(net, (32, 32)), mac_table(layer, (14, 14))
    assert [image['num_rois'] for image in images] == [2, 0, 1]
    assert [image['mean_roi_iterations'] for image in images] == [2.5, None, 2]
    ones = body.total([1, 1, 1, 1])
    assert images[0]['macs'] == ones + head.total([1]) + head.total([4])
    assert images[1]['macs'] == ones
    assert images[0]['macs_full'] == body.highest + 2 * head.highest
    assert [image['macs_lowest'] for image in images] == [
        body.lowest + n * head.lowest for n in (2, 0, 1)
    ]
    plain_body, plain_head = resnet_macs(net, (32, 32)), resnet_macs(layer, (14, 14))
    assert [image['macs_resnet'] for image in images] == [
        plain_body + n * plain_head for n in (2, 0, 1)
    ]
    assert [image['input_size'] for image in images] == [[32, 32]] * 3
    assert images[0]['total_iterations'] == 4  # RoIs do not count here


def test_two_backbones_of_unequal_depth_stand_side_by_side():
    first = network()
    second = IterativeResNet(base_channels=4, max_iterations=(4, 1, 5), num_stages=3)
    calls = [
        Call(second, trace([[4, 1, 2], [1, 1, 5]], (64, 64), (4, 1, 5)), None),
        Call(first, trace([[1, 2, 3, 1], [2, 2, 1, 1]], (32, 32), (2, 2, 3, 3)), None),
        Call(second, trace([[2, 1, 4], [1, 1, 5]], (64, 32), (4, 1, 5)), None),
    ]
    image, _ = image_compute(collector(calls, first, second), 2)
    assert image['iterations_per_block'] == [1, 2, 3, 1, 3, 1, 3]
    assert image['iterations'] == [3, 4, 3, 1, 3]
    assert image['total_iterations'] == 7 + 7
    assert (image['num_calls'], image['input_size']) == (2, [32, 32])
    one, two = image['modules']['0'], image['modules']['1']
    assert (one['iterations'], one['num_calls'], one['input_size']) == ([3, 4], 1, [32, 32])
    assert (two['iterations'], two['num_calls'], two['input_size']) == ([3, 1, 3], 2, [64, 64])
    assert one['ponder_cost'] == 7 + 4 * 0.5
    assert image['ponder_cost'] == 9 + 7 + 3 * 0.5
    large, small = mac_table(second, (64, 64)), mac_table(second, (64, 32))
    assert two['macs'] == large.total([4, 1, 2]) + small.total([2, 1, 4])
    assert one['macs'] == mac_table(first, (32, 32)).total([1, 2, 3, 1])
    for name in ('macs', 'macs_lowest', 'macs_full', 'macs_resnet'):
        assert image[name] == one[name] + two[name]


def test_two_roi_layers_have_no_common_mean():
    net = network()
    layers = [IterativeResLayer(base_channels=4, stage=2, max_iterations=n) for n in (4, 2)]
    calls = [
        Call(net, trace([[1, 1, 1, 1]], (32, 32), (2, 2, 3, 3)), None),
        Call(layers[0], trace([[4], [3]], (14, 14), (4,)), torch.tensor([0, 0])),
        Call(layers[1], trace([[1]], (7, 7), (2,)), torch.tensor([0])),
    ]
    (image,) = image_compute(collector(calls, net, *layers), 1)
    assert (image['num_rois'], image['mean_roi_iterations']) == (3, None)
    found = {name: entry.get('mean_roi_iterations') for name, entry in image['modules'].items()}
    assert found == {'0': None, '1': 3.5, '2': 1}
    assert image['macs'] == sum(entry['macs'] for entry in image['modules'].values())


def test_rois_of_two_layers_belong_to_their_images():
    net = network()
    layers = [IterativeResLayer(base_channels=4, stage=2, max_iterations=4) for _ in range(2)]
    body = [Call(net, trace([[1, 1, 1, 1]] * 2, (32, 32), (2, 2, 3, 3)), None)]
    first = [Call(n, trace([[4], [3]], (14, 14), (4,)), torch.tensor([0, 0])) for n in layers]
    second = [Call(n, trace([[1]], (14, 14), (4,)), torch.tensor([0])) for n in layers]
    for calls, rois in ((first, [4, 0]), (first + second, [4, 2])):  # of the batch; image by image
        images = image_compute(collector(body + calls, net, *layers), 2)
        assert [image['num_rois'] for image in images] == rois


def test_one_backbone_needs_no_entries():
    net = network()
    calls = [Call(net, trace([[1, 1, 1, 1]], (32, 32), (2, 2, 3, 3)), None)]
    (image,) = image_compute(collector(calls, net, network()), 1)
    assert 'modules' not in image
    assert len(image['iterations']) == 2


@pytest.mark.parametrize('owners', [None, torch.tensor([0])])
def test_rois_of_unknown_images_are_refused(owners):
    layer = IterativeResLayer(base_channels=4, stage=2, max_iterations=4)
    calls = [Call(layer, trace([[1], [4]], (14, 14), (4,)), owners)]
    with pytest.raises(ValueError, match='the images of the 2 RoIs of IterativeResLayer are unknown'):
        image_compute(collector(calls, layer), 1)


def test_no_proposals_at_all():
    net = network()
    layer = IterativeResLayer(base_channels=4, stage=2, max_iterations=4)
    calls = [Call(net, trace([[1, 1, 1, 1]], (32, 32), (2, 2, 3, 3)), None)]
    (image,) = image_compute(collector(calls, net, layer), 1)
    assert (image['num_rois'], image['mean_roi_iterations']) == (0, None)


def test_no_call_of_a_backbone():
    layer = IterativeResLayer(base_channels=4, stage=2, max_iterations=4)
    calls = [Call(layer, trace([[1]], (14, 14), (4,)), torch.tensor([0]))]
    (image,) = image_compute(collector(calls, layer), 1)
    assert (image['num_calls'], image['input_size'], image['iterations']) == (0, None, [])
    head = mac_table(layer, (14, 14))
    assert (image['macs_lowest'], image['macs_full']) == (head.lowest, head.highest)


def test_rows_that_are_not_the_images_are_refused():
    net = network()
    calls = [Call(net, trace([[1, 1, 1, 1]] * 2, (32, 32), (2, 2, 3, 3)), None)]
    with pytest.raises(ValueError, match='called with 2 rows for a batch of 3 images'):
        image_compute(collector(calls, net), 3)


def test_windows_of_several_sizes_are_no_frames():
    net = network()
    calls = [Call(net, trace([[1, 1, 1, 1]], (s, s), (2, 2, 3, 3)), None) for s in (32, 64)]
    with pytest.raises(ValueError, match='called with 1 rows for a batch of 2 images'):
        image_compute(collector(calls, net), 2)


def test_a_model_without_iterative_modules_is_refused():
    with pytest.raises(ValueError, match='Linear has no iterative module: set backbone='):
        TraceCollector(nn.Linear(2, 2))
