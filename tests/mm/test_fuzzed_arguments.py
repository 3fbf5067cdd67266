"""The modules and hooks of a config under random arguments."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from iterbackbone.mm import IterationLogHook, IterativeResLayer, IterativeResNet, PonderCostHook
from tests.support.fuzzing import (
    BOOL,
    BUDGET,
    EXECUTION,
    HALTING,
    INT,
    INTS,
    JUNK,
    REAL,
    built,
    cases,
    run,
    some_of,
)

NORM = st.sampled_from([dict(type='BN'), dict(type='GN', num_groups=2), dict(type='GN'), {}])
NORM = NORM | st.fixed_dictionaries({'type': JUNK}) | JUNK
SHARED = dict(
    depth=st.sampled_from([50, 101, 152]) | JUNK,
    base_channels=INT,
    expansion=INT,
    blocks_per_stage=INT,
    depthwise=BOOL,
    norm_eval=BOOL,
    with_cp=BOOL,
    norm_cfg=NORM,
    halting=HALTING,
    execution=EXECUTION,
    budget=BUDGET,
)
BACKBONE = some_of(
    **SHARED,
    in_channels=INT,
    stem=st.sampled_from(['cifar', 'imagenet']) | JUNK,
    max_iterations=INTS,
    num_stages=INT,
    strides=INTS,
    dilations=INTS,
    out_indices=INTS,
    frozen_stages=INT,
)
LAYER = some_of(**SHARED, stage=INT, stride=INT, dilation=INT, max_iterations=INT)
TINY = dict(base_channels=2, expansion=1)
HOOK = some_of(weight=REAL, halting_warmup=REAL, ramp=REAL, target=REAL)


def forward(module, channels):
    module.eval()
    with torch.no_grad():
        features = module(torch.rand(2, channels, 9, 8))
    assert len(features)
    limits = torch.tensor(module.trace.limits)
    assert (module.iterations() >= 1).all()
    assert (module.iterations() <= limits).all()


@cases(100, 4000)
def test_backbone(examples):
    def check(arguments):
        defaults = {**TINY, 'num_stages': 2, 'max_iterations': (2, 3), 'stem': 'cifar'}
        net = built(IterativeResNet, arguments, defaults)
        if net is not None:
            forward(net, net.stem.conv.in_channels)

    run(examples, BACKBONE, check)


@cases(60, 2000)
def test_layer(examples):
    def check(arguments):
        layer = built(IterativeResLayer, arguments, {**TINY, 'max_iterations': 2})
        if layer is not None:
            forward(layer, layer.iterative_stages()[0].transition.conv.in_channels)

    run(examples, LAYER, check)


@cases(60, 2000)
def test_budget(examples):
    net = IterativeResNet(**TINY, num_stages=2, max_iterations=(2, 3), stem='cifar').eval()

    def check(arguments):
        before = net.budget
        refused = built(lambda **given: net.set_budget(**given) or net, arguments) is None
        assert net.budget == before or not refused
        forward(net, 3)

    run(examples, some_of(max_iterations=INTS, halting_threshold=REAL), check)


@cases(100, 3000)
def test_hooks(examples):
    run(examples, HOOK, lambda arguments: built(PonderCostHook, arguments))
    run(examples // 10, some_of(interval=JUNK), lambda given: built(IterationLogHook, given))
