"""create_model and list_models: timm's words, the packed weights."""

from __future__ import annotations

import pytest
import torch

from iterbackbone import IterativeResNet, create_model, list_models
from iterbackbone.pretrained import IterativeClassifier, find_weights
from tests.support.blocked_runs import OPENMMLAB, run
from tests.support.pretrained import BACKBONE, CLASSES

pytestmark = pytest.mark.usefixtures('own_weights')
NAME = 'tiny_net.toy'
STEM = 'stem.conv.weight'
OFFLINE = """
import socket
def refuse(*args, **kwargs):
    raise OSError('there is no network')
socket.socket.connect = socket.getaddrinfo = refuse
import iterbackbone
model = iterbackbone.create_model('tiny_net', pretrained=True)
print(float(model.head.fc.weight.sum()))
"""


def below(state, prefix):
    return {key.removeprefix(prefix): x for key, x in state.items() if key.startswith(prefix)}


def check_equal(found, wanted):
    assert found.keys() == wanted.keys()
    assert [key for key in wanted if not torch.equal(found[key], wanted[key])] == []


@pytest.mark.parametrize('name', [NAME, 'tiny_net'])
def test_the_whole_classifier(name, state):
    model = create_model(name, pretrained=True)
    assert isinstance(model, IterativeClassifier)
    check_equal(model.state_dict(), state)
    assert not model.backbone.stages[0].blocks[0].last_relu
    assert model.eval()(torch.rand(2, 3, 64, 64)).shape == (2, 5)


def test_without_openmmlab_and_network(state):
    done = run(OFFLINE, blocked=OPENMMLAB)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == float(state['head.fc.weight'].sum())


def test_untrained_weights_of_the_same_shape():
    torch.manual_seed(1)
    model = create_model('tiny_net')
    assert model.num_classes == len(CLASSES)
    assert float(model.backbone.stem.norm.running_mean.sum()) == 0.0


@pytest.mark.parametrize(('classes', 'shape'), [(0, (2, 64)), (7, (2, 7))])
def test_num_classes(classes, shape, state):
    model = create_model(NAME, pretrained=True, num_classes=classes).eval()
    check_equal(model.backbone.state_dict(), below(state, 'backbone.'))
    x = torch.rand(2, 3, 64, 64)
    assert model(x).shape == shape
    if not classes:
        assert torch.allclose(model(x), model.backbone(x)[-1].mean((2, 3)), atol=1e-5)


def test_a_head_of_as_many_classes_keeps_the_weights(state):
    head = create_model(NAME, pretrained=True, num_classes=5).get_classifier()
    check_equal(head.state_dict(), below(state, 'head.fc.'))


def test_features(state):
    model = create_model(NAME, pretrained=True, features_only=True).eval()
    assert type(model) is IterativeResNet
    check_equal(model.state_dict(), below(state, 'backbone.'))
    shapes = [tuple(x.shape) for x in model(torch.rand(2, 3, 64, 64))]
    info = model.feature_info
    assert shapes == [
        (2, c, 64 // r, 64 // r) for c, r in zip(info.channels(), info.reduction(), strict=True)
    ]
    assert (info.channels(), info.reduction()) == ([8, 16, 32, 64], [4, 8, 16, 32])
    assert info.module_name() == ['stages.0', 'stages.1', 'stages.2', 'stages.3']


def test_later_stages_are_left_out():
    whole = create_model(NAME, pretrained=True, features_only=True).eval()
    part = create_model(NAME, pretrained=True, features_only=True, out_indices=(0, 2)).eval()
    assert len(part.stages) == 3
    assert (part.feature_info.channels(), part.feature_info.reduction()) == ([8, 32], [4, 16])
    x = torch.rand(1, 3, 64, 64)
    for found, wanted in zip(part(x), whole(x)[:3:2], strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    ('out_indices', 'stages'), [((-1,), [3]), ((-4, -2), [0, 2]), ([1, -1], [1, 3])]
)
def test_stages_counted_from_the_last(out_indices, stages):
    model = create_model(NAME, pretrained=True, features_only=True, out_indices=out_indices)
    assert model.feature_info.module_name() == [f'stages.{k}' for k in stages]


@pytest.mark.parametrize('channels', [1, 2, 4, 7])
def test_grey_images_give_the_same_whatever_their_channels(channels):
    """As timm's adapt_input_conv: the sum for one channel, else repeated and rescaled."""
    model = create_model(NAME, pretrained=True, in_chans=channels, features_only=True)
    wanted = find_weights(NAME).read()[f'backbone.{STEM}']
    found = model.state_dict()[STEM]
    if channels == 1:
        assert torch.equal(found, wanted.sum(1, keepdim=True))
    else:
        for k in range(channels):
            assert torch.allclose(found[:, k], wanted[:, k % 3] * 3 / channels)


def test_cifar_stem_and_strides():
    model = create_model('iterative_resnet50', features_only=True, stem='cifar', base_channels=4)
    assert model.feature_info.reduction() == [1, 2, 4, 8]
    model = create_model(
        'iterative_resnet50',
        features_only=True,
        base_channels=4,
        strides=(1, 2, 1, 1),
        out_indices=(2,),
    )
    assert model.feature_info.reduction() == [8]


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('iterative_resnet152', dict(depth=152)),
        ('iterative_resnet101_small', dict(depth=101, expansion=2)),
        ('iterative_resnet50_double', dict(depth=50, blocks_per_stage=2)),
        ('iterative_resnet50_dw', dict(depth=50, depthwise=True)),
    ],
)
def test_the_papers_variants(name, options):
    model = create_model(name, features_only=True, base_channels=4)
    wanted = IterativeResNet(base_channels=4, **options).state_dict()
    assert {k: x.shape for k, x in model.state_dict().items()} == {
        k: x.shape for k, x in wanted.items()
    }
    assert create_model(name, base_channels=4).num_classes == 1000


def test_lists():
    assert NAME in list_models(pretrained=True)
    assert NAME not in list_models()
    assert {'tiny_net', 'iterative_resnet50_dw'} <= set(list_models())
    assert list_models('tiny_net', pretrained=True) == [NAME]
    assert list_models('iny_net', pretrained=True) == list_models('tiny_net.t', pretrained=True) == []
    assert list_models('*152*') == [f'iterative_resnet152{x}' for x in ('', '_double', '_dw', '_small')]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(name='tiny_nett'), r"got 'tiny_nett'; did you mean tiny_net"),
        (dict(name='iterative_resnet51_dw'), 'did you mean iterative_resnet50_dw'),
        (dict(name='tiny_net.toi', pretrained=True), 'did you mean tiny_net.toy'),
        (
            dict(name='iterative_resnet101', pretrained=True),
            r'pretrained must be False for iterative_resnet101, which has no weights; .*tiny_net\.toy',
        ),
        (
            dict(name=NAME, pretrained=True, base_channels=8),
            "got tiny_net.toy with {'base_channels': 8}",
        ),
        (dict(name=NAME, out_indices=(1,)), 'out_indices must be None without features_only'),
        (
            dict(name=NAME, features_only=True, out_indices=(5,)),
            'ascending stages between 0 and 3, got',
        ),
        (dict(name=NAME, num_classes=-1), 'num_classes must be >= 0, got -1'),
        (
            dict(name=NAME, features_only=True, out_indices=(2, 0)),
            r'ascending stages between 0 and 3, got \(2, 0\)',
        ),
        (dict(name=NAME, features_only=True, out_indices=(-5,)), r'out_indices\[0\] must be >= -4'),
        (dict(name=NAME, features_only=True, out_indices=()), r'ascending .*, got \(\)'),
        (dict(name=NAME, in_chans=0), 'in_chans must be >= 1, got 0'),
        (
            dict(name='iterative_resnet50', max_iterations=(1, 2, 3, 4, 5, 6)),
            'max_iterations must have 4 items, got 6',
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model(**arguments)


def test_stages_to_return_are_a_sequence():
    with pytest.raises(TypeError, match='out_indices must be a sequence of ints, got 3'):
        create_model(NAME, features_only=True, out_indices=3)


@pytest.mark.parametrize('options', [{}, {'features_only': True, 'out_indices': (0,)}])
def test_the_number_of_stages_is_an_int(options):
    with pytest.raises(TypeError, match='num_stages must be an int, got None'):
        create_model(NAME, num_stages=None, **options)


def test_default_arguments_of_the_backbone_are_in_the_index():
    """Later defaults do not change what the weights mean."""
    known = find_weights(NAME).architecture
    assert known['stem'] == 'imagenet'
    assert BACKBONE.items() <= known.items()


def test_channels_may_be_named_as_the_backbone_names_them():
    model = create_model('iterative_resnet50', base_channels=4, in_channels=4)
    assert model.backbone.stem.conv.in_channels == 4


def test_fewer_stages_get_a_new_linear_layer():
    model = create_model(NAME, pretrained=True, num_stages=3)
    assert model.get_classifier().in_features == model.num_features


@pytest.mark.parametrize('channels', [1, 4])
def test_a_first_kernel_of_timm_is_adapted(channels):
    pytest.importorskip('timm')
    name = 'fcos_efficientnet_lite0_iterative'
    model = create_model(name, pretrained=True, in_chans=channels, features_only=True).eval()
    rgb = create_model(name, pretrained=True, features_only=True).eval()
    grey = torch.rand(1, 1, 64, 64)
    image = grey  # else the fourth channel is empty, and the others make up for the rescaling
    if channels == 4:
        image = torch.cat([grey.expand(1, 3, 64, 64) * 4 / 3, torch.zeros_like(grey)], dim=1)
    for found, wanted in zip(model(image), rgb(grey.expand(1, 3, 64, 64)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
