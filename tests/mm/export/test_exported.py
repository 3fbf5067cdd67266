"""What a graph does to an image is what the data preprocessors do; what it cannot do is described."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmcv.transforms import CenterCrop
from mmdet.models import DetDataPreprocessor
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpretrain.models import ClsDataPreprocessor
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import nn

from iterbackbone.__main__ import config_path
from iterbackbone.export.onnx.model_file import load_image
from iterbackbone.mm.configs import pipeline_size
from iterbackbone.mm.export.exported import BinMeans, image_steps, with_bin_means
from iterbackbone.mm.export.models import Preparation

NORMS = dict(mean=[123.0, 116.0, 103.0], std=[58.0, 57.0, 56.0])
PREPROCESSORS = {
    'mmdet': DetDataPreprocessor(**NORMS, bgr_to_rgb=True, pad_size_divisor=32),
    'mmdet bgr': DetDataPreprocessor(**NORMS, bgr_to_rgb=False),
    'mmseg': SegDataPreProcessor(**NORMS, bgr_to_rgb=True, size=(64, 64)),
    'mmseg padded': SegDataPreProcessor(
        **NORMS, bgr_to_rgb=True, size=(64, 64), test_cfg=dict(size_divisor=16), pad_val=7
    ),
    'mmpretrain': ClsDataPreprocessor(**NORMS, to_rgb=True),
    'mmpretrain padded': ClsDataPreprocessor(**NORMS, to_rgb=False, pad_size_divisor=8),
    'without norm': DetDataPreprocessor(bgr_to_rgb=True),
}


@pytest.mark.parametrize('name', PREPROCESSORS)
@pytest.mark.parametrize('size', [(32, 64), (33, 50)])
def test_as_the_data_preprocessor(name, size):
    image = torch.randint(256, (3, *size), dtype=torch.uint8)  # BGR, as it is loaded
    data = {'inputs': [image.clone()], 'data_samples': [SegDataSample()]}
    wanted = PREPROCESSORS[name](data if 'mmseg' in name else data | {'data_samples': None}, False)
    found = Preparation(PREPROCESSORS[name])(image.flip(0)[None])
    assert found.shape == wanted['inputs'].shape
    assert torch.allclose(found, wanted['inputs'], atol=1e-6)


def test_steps_of_our_configs():
    def steps(name):
        return image_steps(Config.fromfile(config_path(name)))

    assert steps('iterative-tiny_1xb64_cifar10-subset') == []
    resize = {'step': 'resize', 'scale': [400, 240], 'keep_ratio': True}
    assert steps('faster-rcnn_iterative-r50-tiny_fpn_voc2007') == [resize]
    assert steps('upernet_iterative-r50-tiny_voc2007') == [resize]
    assert steps('iterative-r152_8xb32_in1k') == [
        {'step': 'resize_short', 'edge': 256},
        {'step': 'center_crop', 'size': [224, 224]},
    ]


def test_a_crop_is_given_as_width_and_height():
    crop = {'type': 'CenterCrop', 'crop_size': (30, 20)}
    (step,) = image_steps(loader(crop))
    image = torch.zeros(50, 70, 3).numpy()
    assert CenterCrop((30, 20))({'img': image})['img'].shape[:2] == tuple(step['size'])


def loader(*pipeline):
    return Config({'test_dataloader': {'dataset': {'dataset': {'pipeline': list(pipeline)}}}})


def test_wrapped_datasets_and_no_dataset():
    assert image_steps(loader({'type': 'mmdet.Resize', 'scale': 50})) == [
        {'step': 'resize', 'scale': [50, 50], 'keep_ratio': False}
    ]
    assert image_steps(Config({})) == []


@pytest.mark.parametrize(
    'step',
    [{'type': 'RandomFlip'}, {'type': 'ResizeEdge', 'scale': 8, 'edge': 'long'}, {'type': 'Pad'}],
)
def test_steps_that_cannot_be_described_are_refused(step):
    with pytest.raises(ValueError, match=f'test pipeline: {step["type"]} is none of the steps'):
        image_steps(loader(step))


@pytest.mark.parametrize(
    ('step', 'message'),
    [
        (
            dict(type='Resize', scale=8, interpolation='area'),
            "Resize must have interpolation='bilinear'",
        ),
        (dict(type='ResizeEdge', scale=8, backend='pillow'), "ResizeEdge must have backend='cv2'"),
        (dict(type='CenterCrop', crop_size=8, auto_pad=True), 'CenterCrop must have auto_pad=False'),
        (dict(type='LoadImageFromFile', color_type='grayscale'), "must have color_type='color'"),
        (dict(type='LoadImageFromFile', to_float32=True), 'must have to_float32=False'),
        (dict(type='LoadImageFromFile', imdecode_backend='pillow'), "imdecode_backend='cv2'"),
    ],
)
def test_arguments_that_cannot_be_described_are_refused(step, message):
    with pytest.raises(ValueError, match=message):
        image_steps(loader(step))


def test_the_first_of_joined_datasets_and_vals_serve():
    pipeline = [{'type': 'Resize', 'scale': 8}]
    cfg = Config({'val_dataloader': {'dataset': {'datasets': [{'pipeline': pipeline}, {}]}}})
    assert image_steps(cfg) == [{'step': 'resize', 'scale': [8, 8], 'keep_ratio': False}]
    assert pipeline_size(cfg) == (8, 8)


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    bins=st.one_of(st.integers(1, 7), st.tuples(st.none() | st.integers(1, 7), st.integers(1, 7))),
)
def test_bin_means_are_adaptive_average_pooling(size, bins):
    x = torch.randn(2, 3, *size)
    original = nn.Sequential(nn.Sequential(nn.AdaptiveAvgPool2d(bins)))
    wanted = original(x)
    replaced = with_bin_means(original)
    assert isinstance(replaced[0][0], BinMeans)
    assert torch.allclose(replaced(x), wanted, atol=1e-6)


def test_padding_to_a_fixed_size_is_refused():
    preprocessor = SegDataPreProcessor(**NORMS, size=(64, 64), test_cfg=dict(size=(128, 128)))
    with pytest.raises(ValueError, match='test_cfg must have size_divisor instead of size, got'):
        Preparation(preprocessor)


def test_the_steps_are_what_the_pipeline_does(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (37, 61, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), pixels)
    for pipeline in (
        [{'type': 'mmdet.Resize', 'scale': (50, 90), 'keep_ratio': True}],
        [{'type': 'mmdet.Resize', 'scale': (50, 90)}],
        [
            {'type': 'mmpretrain.ResizeEdge', 'scale': 30},
            {'type': 'mmpretrain.CenterCrop', 'crop_size': 25},
        ],
    ):
        wanted = Compose(pipeline)({'img': pixels})['img']
        found = load_image(tmp_path / 'a.png', image_steps(loader(*pipeline)))
        assert np.array_equal(found[0, ::-1].transpose(1, 2, 0), wanted)
