"""Each part gets the channels of the outputs that it takes."""

from __future__ import annotations

import pytest

from iterbackbone.mm.new_config.changes import Pyramid, changed_parts, shared_arguments

EQUAL = Pyramid('Net', (64, 64, 128), (256, 512, 1024), {})  # two outputs of equal channels


@pytest.mark.parametrize(
    ('part', 'changed'),
    [
        (dict(in_channels=[64, 64, 128]), dict(in_channels=[256, 512, 1024])),
        (dict(in_channels=[128, 64, 64]), dict(in_channels=[1024, 512, 256])),
        (dict(in_channels=(64, 128), in_index=(1, 2)), dict(in_channels=[512, 1024])),
        (dict(in_channels=64, in_index=1), dict(in_channels=512)),
        (dict(in_channels=128, c1_in_channels=64), dict(in_channels=1024, c1_in_channels=256)),
        (dict(in_channels=64), {}),  # the last output has 128: these are others' channels
    ],
)
@pytest.mark.parametrize('name', ['neck', 'decode_head', 'panoptic_head'])
def test_equal_channels_are_told_apart(name, part, changed):
    assert changed_parts({name: part}, EQUAL) == ({name: changed} if changed else {})


def test_a_neck_keeps_the_heads_and_a_list_is_replaced_whole():
    model = dict(
        neck=[dict(in_channels=[64, 64, 128]), dict(in_channels=64)], head=dict(in_channels=128)
    )
    assert changed_parts(model, EQUAL) == {
        'neck': [dict(in_channels=[256, 512, 1024]), dict(in_channels=64)]
    }


@pytest.mark.parametrize(
    ('norm', 'taken'),
    [
        (dict(type='BN', requires_grad=False), dict(type='BN')),
        (dict(type='SyncBN', requires_grad=True), dict(type='SyncBN', requires_grad=True)),
        (dict(type='LN', eps=1e-6), None),  # of a transformer
        (None, None),
    ],
)
def test_norms_that_random_convolutions_can_use_are_taken_over(norm, taken):
    found = shared_arguments(dict(type='ResNet', norm_cfg=norm, with_cp=True))
    assert found == dict(with_cp=True, **({'norm_cfg': taken} if taken else {}))
