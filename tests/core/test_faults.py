"""NaN and infinity end the loop in every form, and sizes from one pixel up are computed."""

from __future__ import annotations

import pytest
import torch

from tests.support.networks import images, relative_error, tiny_layer, tiny_net, varied

FORMS = ['active', 'masked', 'inference']
forms = pytest.mark.parametrize('form', FORMS)
NAN, INF = float('nan'), float('inf')


def prepared(form, x):
    """A network whose images halt at different iterations, in one of the forms."""
    net = varied(tiny_net(execution='active' if form == 'inference' else form), x).eval()
    if form == 'inference':
        net.optimize_for_inference()
    return net


@forms
@pytest.mark.parametrize('value', [NAN, INF, -INF, 1e38])
def test_an_image_that_is_not_finite_harms_no_other(form, value):
    x = images(4)
    net = prepared(form, x)
    expected, iterations = net(x), net.iterations()
    broken = x.clone()
    broken[1, :, 5:9, 5:9] = value
    features = net(broken)
    others = [0, 2, 3]
    assert torch.equal(net.iterations()[others], iterations[others])
    for found, wanted in zip(features, expected, strict=True):
        assert relative_error(found[others], wanted[others]) <= 1e-5
    assert net.trace.ponder_cost[others].isfinite().all()


@pytest.mark.parametrize('form', ['active', 'masked'])
def test_a_nan_image_shows_in_its_ponder_cost(form):
    """Not in the inference form: the ReLU inside oneDNN's convolutions makes it 0."""
    x = images(4)
    net = prepared(form, x)
    x[1, 0, 3, 3] = NAN
    net(x)
    assert net.trace.ponder_cost[1].isnan().all()
    assert net.iterations()[1].tolist() == [1, 1, 1, 1]


@forms
@pytest.mark.parametrize('part', ['conv3.weight', 'halting.fc2.bias'])
def test_nan_weights_show_in_the_ponder_cost(form, part):
    x = images(4)
    net = prepared(form, x)
    net.stages[2].blocks[0].get_parameter(part).data.fill_(NAN)
    net(x)
    assert net.trace.ponder_cost[:, :3].isnan().tolist() == [[False, False, True]] * 4
    assert net.iterations()[:, 2].tolist() == [1] * 4


@pytest.mark.parametrize('execution', ['active', 'masked'])
@pytest.mark.parametrize('value', [NAN, INF])
def test_training_on_it_ends_with_a_loss_that_says_so(execution, value):
    x = images(4)
    x[1, 0, 3, 3] = value
    net = tiny_net(execution=execution)
    features = net(x)
    loss = features[-1].mean() + net.ponder_cost().mean()
    assert not loss.isfinite()
    loss.backward()


@forms
@pytest.mark.parametrize('stem', ['imagenet', 'cifar'])
@pytest.mark.parametrize('size', [(1, 1), (1, 40), (3, 2), (31, 33)])
def test_small_images(form, stem, size):
    net = tiny_net(stem=stem, execution='active' if form == 'inference' else form).eval()
    if form == 'inference':
        net.optimize_for_inference()
    features = net(images(2, *size))
    assert all(f.isfinite().all() and min(f.shape) >= 1 for f in features)
    assert net.trace.input_size == size


@pytest.mark.parametrize('form', ['active', 'inference'])
def test_a_large_image(form):
    net = tiny_net(stem='imagenet', base_channels=1, expansion=1, max_iterations=(2, 2, 2, 2)).eval()
    if form == 'inference':
        net.optimize_for_inference()
    with torch.no_grad():
        features = net(torch.rand(1, 3, 4000, 4000))
    sizes = [(1000, 1000), (500, 500), (250, 250), (125, 125)]
    assert [tuple(f.shape[2:]) for f in features] == sizes
    assert all(f.isfinite().all() for f in features)


def test_no_regions_of_interest_in_the_inference_form():
    layer = tiny_layer().eval()
    layer.optimize_for_inference()
    assert tuple(layer(images(0, 14, 14, channels=32)).shape) == (0, 64, 7, 7)
    assert tuple(layer.iterations().shape) == (0, 1)
