"""The images of a fit: annotations in the input's frame, inside any wrapper, evenly chosen."""

from __future__ import annotations

import pytest
from mmdet.datasets.transforms import LoadAnnotations, PackDetInputs, Resize

from iterbackbone.mm.fitting.images import ImageSpec, annotations_first, leaves, type_name

IMAGE = dict(type='LoadImageFromFile')
SIZE = dict(scale=(32, 32), keep_ratio=True)


def names(pipeline):
    return [type_name(step) for step in annotations_first(pipeline)]


MOVED = ['LoadImageFromFile', 'LoadAnnotations', 'Resize', 'PackDetInputs']


@pytest.mark.parametrize(
    ('annotations', 'resize', 'pack'),
    [
        (dict(type='LoadAnnotations', with_bbox=True), dict(type='Resize'), dict(type='PackDetInputs')),
        (
            dict(type='mmdet.LoadAnnotations'),
            dict(type='mmdet.Resize'),
            dict(type='mmdet.PackDetInputs'),
        ),
        (dict(type=LoadAnnotations), dict(type=Resize), dict(type=PackDetInputs)),
    ],
)
def test_boxes_are_loaded_before_the_image_is_resized(annotations, resize, pack):
    pipeline = [IMAGE, {**resize, **SIZE}, annotations, pack]
    assert names(pipeline) == MOVED
    assert names([IMAGE, annotations, {**resize, **SIZE}, pack]) == MOVED


def test_maps_stay_behind_the_resize():
    pipeline = [IMAGE, dict(type='Resize'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    assert annotations_first(pipeline) is pipeline
    plain = [IMAGE, dict(type='Resize'), dict(type='PackDetInputs')]
    assert annotations_first(plain) is plain


def test_every_data_set_inside_wrappers():
    voc = [dict(type='VOCDataset', ann_file=str(k)) for k in range(2)]
    wrapped = dict(type='RepeatDataset', times=3, dataset=dict(type='ConcatDataset', datasets=voc))
    assert list(leaves(wrapped)) == voc
    with pytest.raises(ValueError, match='MultiImageMixDataset are mixtures'):
        list(leaves(dict(type='MultiImageMixDataset', dataset=voc[0])))


def test_a_few_are_spread_over_all():
    spec = ImageSpec.parse('val[100:1000:2]')
    few = spec.thinned(2000, 90)
    places = few.places(2000)
    assert len(places) == 90
    assert set(places) <= set(spec.places(2000))
    assert places[-1] > 980
    assert ImageSpec.parse('val').thinned(50, 300).places(50) == range(50)
