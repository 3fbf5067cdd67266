"""Every refusal names the argument, the value and what is allowed."""

from __future__ import annotations

import re

import pytest
from torch import nn

from iterbackbone.core.block import IterativeBlock
from tests.support.networks import tiny_layer, tiny_net

NAN, INF = float('nan'), float('inf')
EITHER = (TypeError, ValueError)
KEYS = "execution must have the keys 'train' and 'eval', got"
DEPTHS = 'depth must be one of [50, 101, 152]'

# Arguments, exception, what the message must hold.
COMMON = [
    ({'base_channels': 0}, ValueError, 'base_channels must be >= 1, got 0'),
    ({'base_channels': 4.0}, TypeError, 'base_channels must be an int, got 4.0'),
    ({'expansion': 0}, ValueError, 'expansion must be >= 1, got 0'),
    ({'expansion': True}, TypeError, 'expansion must be an int, got True'),
    ({'blocks_per_stage': 0}, ValueError, 'blocks_per_stage must be >= 1, got 0'),
    ({'blocks_per_stage': '2'}, TypeError, "blocks_per_stage must be an int, got '2'"),
    ({'depthwise': 1}, TypeError, 'depthwise must be a bool, got 1'),
    ({'with_cp': None}, TypeError, 'with_cp must be a bool, got None'),
    ({'norm_eval': 'yes'}, TypeError, "norm_eval must be a bool, got 'yes'"),
    ({'depth': 18, 'max_iterations': None}, ValueError, f'{DEPTHS}, got 18'),
    ({'depth': [50], 'max_iterations': None}, (TypeError, ValueError), f'{DEPTHS}, got [50]'),
    (
        {'execution': 'fast'},
        ValueError,
        "execution['train'] must be one of ['active', 'masked'], got 'fast'",
    ),
    (
        {'execution': {'train': 'active', 'eval': None}},
        ValueError,
        "execution['eval'] must be one of ['active', 'masked'], got None",
    ),
    (
        {'execution': {'train': 'active'}},
        ValueError,
        f"{KEYS} ['train']",
    ),
    ({'execution': {1: 'active', 'eval': 'active'}}, ValueError, KEYS),
    (
        {'halting': {'epsilon': 0}},
        ValueError,
        'halting.epsilon must be between 0 and 1, exclusive, got 0',
    ),
    (
        {'halting': {'epsilon': 1.0}},
        ValueError,
        'halting.epsilon must be between 0 and 1, exclusive, got 1.0',
    ),
    ({'halting': {'epsilon': NAN}}, ValueError, 'halting.epsilon must be finite, got nan'),
    ({'halting': {'epsilon': '0.01'}}, TypeError, "halting.epsilon must be a number, got '0.01'"),
    ({'halting': {'hidden': 0}}, ValueError, 'halting.hidden must be >= 1, got 0'),
    ({'halting': {'hidden': 6.4}}, TypeError, 'halting.hidden must be an int, got 6.4'),
    ({'halting': {'bias': 'low'}}, TypeError, "halting.bias must be a number, got 'low'"),
    ({'halting': {'layer_norm': 1}}, TypeError, 'halting.layer_norm must be a bool, got 1'),
    ({'halting': {'bias': INF}}, ValueError, 'halting.bias must be finite, got inf'),
    (
        {'halting': {'eps': 0.1}},
        ValueError,
        "halting must be one of ['bias', 'epsilon', 'hidden', 'layer_norm'], got 'eps'",
    ),
    ({'halting': 5}, EITHER, 'halting must be'),
    (
        {'budget': {'cap': 1}},
        ValueError,
        "budget must be one of ['halting_threshold', 'max_iterations', 'share'], got 'cap'",
    ),
    ({'budget': {'max_iterations': 0}}, ValueError, 'budget.max_iterations must be >= 1, got 0'),
    ({'budget': 5}, EITHER, 'budget must be'),
    ({'norm_layer': 5}, TypeError, 'norm_layer must be'),
]
BACKBONE = [
    ({'in_channels': 0}, ValueError, 'in_channels must be >= 1, got 0'),
    ({'in_channels': 3.0}, TypeError, 'in_channels must be an int, got 3.0'),
    ({'stem': 'resnet'}, ValueError, "stem must be one of ['cifar', 'imagenet'], got 'resnet'"),
    (
        {'stem': ['cifar']},
        (TypeError, ValueError),
        "stem must be one of ['cifar', 'imagenet'], got ['cifar']",
    ),
    ({'num_stages': 0}, ValueError, 'num_stages must be between 1 and 4, got 0'),
    ({'num_stages': 5}, ValueError, 'num_stages must be between 1 and 4, got 5'),
    ({'num_stages': None}, TypeError, 'num_stages must be an int, got None'),
    ({'max_iterations': (2, 3)}, ValueError, 'max_iterations must have 4 items, got 2: (2, 3)'),
    ({'max_iterations': 3}, TypeError, 'max_iterations must be a sequence of 4 ints, got 3'),
    ({'max_iterations': '2352'}, TypeError, "max_iterations must be a sequence of 4 ints, got '2352'"),
    ({'max_iterations': (2, 0, 5, 2)}, ValueError, 'max_iterations[1] must be >= 1, got 0'),
    ({'max_iterations': (2, 3, 5.0, 2)}, TypeError, 'max_iterations[2] must be an int, got 5.0'),
    ({'strides': (1, 2)}, ValueError, 'strides must have 4 items, got 2: (1, 2)'),
    ({'strides': ()}, ValueError, 'strides must have 4 items, got 0: ()'),
    ({'strides': (1, 2, 2, 0)}, ValueError, 'strides[3] must be >= 1, got 0'),
    ({'strides': 2}, TypeError, 'strides must be a sequence of 4 ints, got 2'),
    ({'dilations': (1, 1, 1, 1, 1)}, ValueError, 'dilations must have 4 items, got 5: (1, 1, 1, 1, 1)'),
    ({'dilations': []}, ValueError, 'dilations must have 4 items, got 0: ()'),
    ({'dilations': (1, 1, True, 1)}, TypeError, 'dilations[2] must be an int, got True'),
    ({'out_indices': ()}, ValueError, 'out_indices must be ascending stages between 0 and 3, got ()'),
    (
        {'out_indices': (1, 4)},
        ValueError,
        'out_indices must be ascending stages between 0 and 3, got (1, 4)',
    ),
    (
        {'out_indices': (2, 1)},
        ValueError,
        'out_indices must be ascending stages between 0 and 3, got (2, 1)',
    ),
    (
        {'out_indices': (1, 1)},
        ValueError,
        'out_indices must be ascending stages between 0 and 3, got (1, 1)',
    ),
    ({'out_indices': (-1,)}, ValueError, 'out_indices[0] must be >= 0, got -1'),
    ({'out_indices': (0, 'c5')}, TypeError, "out_indices[1] must be an int, got 'c5'"),
    (
        {'out_indices': (0, 1)},
        ValueError,
        'out_indices must contain the last stage, got (0, 1) of 4 stages: what no output needs '
        'would run untrained; set num_stages=2',
    ),
    ({'out_indices': 3}, TypeError, 'out_indices must be'),
    ({'frozen_stages': -2}, ValueError, 'frozen_stages must be between -1 and 4, got -2'),
    ({'frozen_stages': 5}, ValueError, 'frozen_stages must be between -1 and 4, got 5'),
    ({'frozen_stages': None}, TypeError, 'frozen_stages must be an int, got None'),
]
LAYER = [
    ({'stage': 0}, ValueError, 'stage must be between 1 and 3, got 0'),
    ({'stage': 4}, ValueError, 'stage must be between 1 and 3, got 4'),
    ({'stage': '3'}, TypeError, "stage must be an int, got '3'"),
    ({'stride': 0}, ValueError, 'stride must be >= 1, got 0'),
    ({'stride': (2, 2)}, TypeError, 'stride must be an int, got (2, 2)'),
    ({'dilation': 0}, ValueError, 'dilation must be >= 1, got 0'),
    ({'dilation': 1.5}, TypeError, 'dilation must be an int, got 1.5'),
    ({'max_iterations': 0}, ValueError, 'max_iterations must be >= 1, got 0'),
    ({'max_iterations': (3,)}, TypeError, 'max_iterations must be an int, got (3,)'),
]
BUDGET = [
    ({'max_iterations': 0}, ValueError, 'budget.max_iterations must be >= 1, got 0'),
    ({'max_iterations': 1.5}, TypeError, 'budget.max_iterations must be an int, got 1.5'),
    ({'max_iterations': True}, TypeError, 'budget.max_iterations must be an int, got True'),
    ({'max_iterations': (1, 2)}, ValueError, 'budget.max_iterations must have 4 items, got 2: (1, 2)'),
    ({'max_iterations': (1, 2, 3, 0)}, ValueError, 'budget.max_iterations[3] must be >= 1, got 0'),
    (
        {'max_iterations': (1, 2, None, 1)},
        TypeError,
        'budget.max_iterations[2] must be an int, got None',
    ),
    (
        {'max_iterations': '1111'},
        TypeError,
        "budget.max_iterations must be a sequence of 4 ints, got '1111'",
    ),
    ({'halting_threshold': 0}, ValueError, 'above 0 and at most 1 - epsilon (0.99), got 0'),
    ({'halting_threshold': -0.5}, ValueError, 'above 0 and at most 1 - epsilon (0.99), got -0.5'),
    ({'halting_threshold': 0.995}, ValueError, 'budget.halting_threshold must be above 0 and at most'),
    ({'halting_threshold': NAN}, ValueError, 'budget.halting_threshold must be finite, got nan'),
    ({'halting_threshold': '0.5'}, TypeError, "budget.halting_threshold must be a number, got '0.5'"),
]


def cases(*tables):
    """One parameter set for each row, named after its arguments."""
    rows = [row for table in tables for row in table]
    ids = [str(arguments) for arguments, _, _ in rows]
    return pytest.mark.parametrize(('arguments', 'error', 'message'), rows, ids=ids)


@cases(COMMON, BACKBONE)
def test_backbone(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tiny_net(**arguments)


@cases(COMMON, LAYER)
def test_layer(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tiny_layer(**arguments)


@cases(BUDGET)
def test_budget(arguments, error, message):
    net = tiny_net()
    with pytest.raises(error, match=re.escape(message)):
        net.set_budget(**arguments)
    with pytest.raises(error, match=re.escape(message)):
        tiny_net(budget=arguments)


@pytest.mark.parametrize('make', [tiny_net, tiny_layer])
@pytest.mark.parametrize('value', [1, None, 'on'])
def test_switches(make, value):
    with pytest.raises(TypeError, match=re.escape(f'held must be a bool, got {value!r}')):
        make().hold_halting(value)
    with pytest.raises(TypeError, match=re.escape(f'record must be a bool, got {value!r}')):
        make().record_scores(value)


def test_boundaries_are_allowed():
    net = tiny_net(frozen_stages=4, out_indices=[0, 3], budget={'halting_threshold': 0.99})
    net.set_budget(max_iterations=1000, halting_threshold=1e-6)
    assert net.out_indices == (0, 3)
    assert tiny_net(num_stages=1, max_iterations=[1], frozen_stages=1).max_iterations == (1,)


@pytest.mark.parametrize('max_iterations', [1, 2])
def test_a_block_names_an_unknown_option(max_iterations):
    with pytest.raises(ValueError, match=r"halting must be one of .*, got 'hid'"):
        IterativeBlock(4, 1, max_iterations, nn.BatchNorm2d, hid=3)
