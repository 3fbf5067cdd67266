"""mmdet's own configs with our backbone: each trains and predicts."""

from __future__ import annotations

import re

import pytest
from mmdet.testing import demo_mm_inputs
from mmengine.optim import build_optim_wrapper
from torch import nn

from iterbackbone.mm import IterativeResNet
from tests.support.drop_in_runs import PAGE, check_family, families, family_config

ROIS = {  # a two-stage detector's RoIs
    'model.train_cfg.rpn_proposal.max_per_img': 16,
    'model.test_cfg.rpn.max_per_img': 8,
}
QUERIES = {
    'model.encoder.num_layers': 1,
    'model.decoder.num_layers': 1,
    'model.num_queries': 8,
    'model.test_cfg.max_per_img': 8,
}
SMALL = {
    'Mask R-CNN': ROIS,
    'Cascade R-CNN': ROIS,
    'Deformable DETR': QUERIES,
    'DETR': QUERIES,
}


def images(with_mask):
    """Two of 64x64 with two objects each."""
    data = demo_mm_inputs(2, (3, 64, 64), num_items=[2, 2], num_classes=80, with_mask=with_mask)
    for sample in data['data_samples']:
        del sample.ignored_instances  # which have no labels, unlike those of any data set
    pairs = zip(data['inputs'], data['data_samples'], strict=True)
    return [dict(inputs=image, data_samples=sample) for image, sample in pairs]


@pytest.mark.parametrize('joint', [False, True], ids=['every depth', 'joint'])
@pytest.mark.parametrize('family', families('mmdet'), ids=lambda family: family.name)
def test_one_train_iter_and_a_test(family, joint, tmp_path):
    items = images(with_mask=family.name != 'RTMDet')
    check_family(family, items, tmp_path, SMALL.get(family.name, {}), joint)


@pytest.mark.parametrize('name', ['Deformable DETR', 'DETR', 'YOLOF'])
def test_learning_rate_of_the_backbone(name, tmp_path):
    """These bases scale it down; what the page adds lifts that."""
    (family,) = [family for family in families('mmdet') if family.name == name]
    cfg = family_config(family, tmp_path)
    model = nn.ModuleDict({'backbone': IterativeResNet(base_channels=4)})

    def rates():
        groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
        return {group['lr'] for group in groups}

    rate = cfg.optim_wrapper.optimizer.lr
    assert max(rates()) < 0.4 * rate
    (change,) = re.findall(r'random weights: `optim_wrapper=(.+?)`', PAGE.read_text())
    cfg.merge_from_dict(dict(optim_wrapper=eval(change)))
    assert rates() == {rate}
