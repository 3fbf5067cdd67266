"""mmseg's own configs with our backbone: each trains and predicts."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from tests.support.drop_in_runs import check_family, families, family_config

SIZE = (64, 64)


def images():
    """Two with their label maps."""
    info = dict(img_shape=SIZE, ori_shape=SIZE)
    noise = torch.randint(256, (2, 3, *SIZE), dtype=torch.uint8)
    maps = torch.randint(150, (2, 1, *SIZE))
    samples = [SegDataSample(metainfo=info, gt_sem_seg=PixelData(data=m)) for m in maps]
    return [dict(inputs=x, data_samples=s) for x, s in zip(noise, samples, strict=True)]


@pytest.mark.parametrize('joint', [False, True], ids=['every depth', 'joint'])
@pytest.mark.parametrize('family', families('mmseg'), ids=lambda family: family.name)
def test_one_train_iter_and_a_test(family, joint, tmp_path):
    check_family(family, images(), tmp_path, {'model.data_preprocessor.size': SIZE}, joint)


def test_a_resnets_weights_are_refused(tmp_path):
    cfg = family_config(families('mmseg')[0], tmp_path)
    cfg.model.pretrained = 'open-mmlab://resnet50_v1c'
    with pytest.raises(TypeError, match="unexpected keyword argument 'pretrained'"):
        MODELS.build(cfg.model)


def test_the_short_base_fails_as_the_page_says(tmp_path):
    """Once this passes the page can do without the path."""
    file = tmp_path / 'mine.py'
    file.write_text("_base_ = 'mmseg::pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py'")
    with pytest.raises(ModuleNotFoundError, match='mmsegmentation is not installed'):
        Config.fromfile(file)
