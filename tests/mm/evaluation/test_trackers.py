"""mmdet's QDTrack through its own data pipeline: one line a frame, sampled by frames or by videos."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from tests.support.classifier_runs import Nothing
from tests.support.detector_configs import CLASSES, detector_cfg
from tests.support.openmmlab import read_log

CONFIG = 'mmdet::qdtrack/qdtrack_faster-rcnn_r50_fpn_8xb2-4e_mot17halftrain_test-mot17halfval.py'
NAMES = ('a', 'b', 'c')[:CLASSES]
BOX = [10, 5, 20, 30]  # xywh, the first object of each frame
AREAS = [(600 + 100 * n) / 2 for n in range(1, 5)]  # with a second of 10 x 10n


def write_videos(root):
    """Two videos of two frames of 64x96."""
    images, annotations = [], []
    for n in range(1, 5):
        name = f'video{(n + 1) // 2}/{n}.jpg'
        (root / name).parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(n).integers(0, 256, (64, 96, 3), np.uint8)
        Image.fromarray(noise).save(root / name)
        size = dict(height=64, width=96)
        video = dict(video_id=(n + 1) // 2, frame_id=(n - 1) % 2)
        images.append(dict(id=n, file_name=name, **video, **size))
        for k, box in enumerate((BOX, [50, 10, 10, 10 * n])):
            ids = dict(id=2 * n + k, image_id=n, category_id=k + 1, instance_id=k + 1)
            annotations.append(dict(ids, bbox=box, area=box[2] * box[3], iscrowd=0))
    categories = [dict(id=k + 1, name=name) for k, name in enumerate(NAMES)]
    videos = [dict(id=1, name='video1'), dict(id=2, name='video2')]
    content = dict(images=images, annotations=annotations, categories=categories, videos=videos)
    (root / 'videos.json').write_text(json.dumps(content))


def tracker():
    model = get_config(CONFIG).model
    detector = detector_cfg('faster_rcnn').model
    detector.pop('data_preprocessor')
    model.detector = detector
    model.track_head.roi_extractor.update(out_channels=8, featmap_strides=[4, 8])
    model.track_head.embed_head.update(in_channels=8, conv_out_channels=32, fc_out_channels=16)
    model.track_head.embed_head.update(num_convs=1, embed_channels=8)
    return model


@pytest.mark.parametrize('early', [False, True])
@pytest.mark.parametrize('sampler', ['TrackImgSampler', 'DefaultSampler'])
def test_one_line_a_frame(tmp_path, sampler, early):
    write_videos(tmp_path)
    init_default_scope('mmdet')
    steps = [dict(type='Resize', scale=(192, 128), keep_ratio=True), dict(type='LoadTrackAnnotations')]
    steps = [dict(type='LoadImageFromFile'), *(steps[::-1] if early else steps)]
    pipeline = [dict(type='TransformBroadcaster', transforms=steps), dict(type='PackTrackInputs')]
    dataset = dict(
        type='BaseVideoDataset',
        data_root=str(tmp_path),
        ann_file='videos.json',
        data_prefix=dict(img_path=''),
        metainfo=dict(classes=NAMES),
        test_mode=True,
        pipeline=pipeline,
    )
    options = dict(shuffle=False, round_up=False) if sampler == 'DefaultSampler' else {}
    runner = Runner(
        model=ConfigDict(tracker()),
        work_dir=str(tmp_path / 'run'),
        test_dataloader=dict(
            batch_size=1, num_workers=0, dataset=dataset, sampler=dict(type=sampler, **options)
        ),
        test_cfg=dict(),
        test_evaluator=Evaluator([Nothing()]),
        custom_hooks=[dict(type='iterbackbone.IterationLogHook')],
        default_scope='mmdet',
        experiment_name=f'{sampler}{early}',
        log_level='WARNING',
    )
    runner.test()
    (folder,) = (tmp_path / 'run').glob('*/iterations/*')
    records, predictions, meta = read_log(folder)
    assert meta['dataset']['num_images'] == 4
    assert meta['time']['batch_size'] == (2 if sampler == 'DefaultSampler' else 1)  # a batch is a video
    assert [record['img_id'] for record in records] == [1, 2, 3, 4]
    assert [record['num_objects'] for record in records] == [2] * 4
    assert [record['mean_object_area'] for record in records] == pytest.approx(AREAS, rel=1e-3)
    assert {(record['height'], record['width']) for record in records} == {(64, 96)}
    assert {record['num_calls'] for record in records} == {1}
    assert len({record['macs_full'] for record in records}) == 1
    assert all(record['img_path'].endswith(f'{n}.jpg') for n, record in enumerate(records, 1))
    for prediction in predictions:
        assert np.allclose(prediction['true']['boxes'][0], [10, 5, 30, 35], atol=0.02)
        assert 'predicted' in prediction
