"""Every share of a fitted checkpoint, by the toolbox's own evaluator, on the same images."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from iterbackbone.core.budget_table import TO_THE_CAP, BudgetTable, Setting
from iterbackbone.core.macs import mac_table
from iterbackbone.mm.budget_curve import BudgetPoint, _Budget, budget_curve
from iterbackbone.mm.configs import build_model
from iterbackbone.mm.evaluation.image_compute import image_compute
from iterbackbone.mm.traces import iterative_modules
from tests.support.anytime_runs import CONFIGS

LOW = 0.3


def give_table(module):
    """One iteration of each block, or all."""
    limits = module.max_iterations
    never = (TO_THE_CAP,) * len(limits)
    points = [(LOW, Setting(never, (1,) * len(limits))), (1.0, Setting(never, limits))]
    module.set_budget_table(BudgetTable.of(points))


@pytest.fixture(scope='module', params=CONFIGS)
def fitted(request, shapes_root, tmp_path_factory):
    """Config, its file, and a checkpoint with a table."""
    tmp = tmp_path_factory.mktemp(f'budget_{request.param}')
    cfg = CONFIGS[request.param](shapes_root, tmp)
    cfg.experiment_name = f'budget_{request.param}'
    cfg.custom_hooks = []
    torch.manual_seed(0)
    model = build_model(cfg)
    for module in iterative_modules(model):
        give_table(module)
    config, checkpoint = tmp / 'config.py', tmp / 'fitted.pth'
    cfg.dump(config)
    torch.save({'state_dict': model.state_dict()}, checkpoint)
    return cfg, config, str(checkpoint)


def test_scores_are_those_of_the_toolboxes_test(fitted):
    cfg, config, checkpoint = fitted
    curve = budget_curve(config, checkpoint)
    low, high = curve.points
    assert (low.asked, high.asked, high.share) == (LOW, 1.0, 1.0)
    assert low.share < 1.0
    assert all(point.ms > 0 for point in curve.points)
    cfg = Config.fromfile(config)
    cfg.load_from = checkpoint
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    for point in curve.points:
        for module in iterative_modules(runner.model):
            module.set_budget(share=point.asked)
        metrics = runner.test()
        assert point.scores == pytest.approx({name: metrics[name] for name in point.scores})
        assert curve.score in metrics


@pytest.mark.parametrize('fitted', ['classification'], indirect=True)
def test_shares_are_of_the_macs_and_images_are_spread(fitted):
    cfg, config, checkpoint = fitted
    curve = budget_curve(config, checkpoint, most=7)
    table = mac_table(build_model(cfg).backbone, (32, 32))
    assert curve.points[0].share == pytest.approx(table.lowest / table.highest)
    assert curve.where.startswith('7 images (test[0::3]), batches of 4, cpu')
    assert curve.score == 'accuracy/top1'
    halves = budget_curve(config, checkpoint, cfg_options=['test_dataloader.batch_size=2'])
    assert halves.where.startswith('20 images (test[0::1]), batches of 2, cpu')


@pytest.mark.parametrize('fitted', ['c4'], indirect=True)
def test_shares_are_of_one_full_depth_whatever_regions_a_budget_finds(fitted, monkeypatch):
    computes = []  # of each batch at one iteration, then at all

    def spied(*args):
        computes.append(image_compute(*args))
        return computes[-1]

    monkeypatch.setattr('iterbackbone.mm.budget_curve.image_compute', spied)
    apart = ['model.test_cfg.rpn.nms.iou_threshold=0.1']  # their number depends on where they lie
    low, high = budget_curve(*fitted[1:], most=4, cfg_options=apart).points
    (macs, rois), (full_macs, full_rois) = (
        [
            sum(image[field] for batch in computes[k::2] for image in batch)
            for field in ('macs', 'num_rois')
        ]
        for k in (0, 1)
    )
    assert rois != full_rois
    assert (low.share, high.share) == (macs / full_macs, 1)


@pytest.mark.parametrize('fitted', ['classification'], indirect=True)
def test_picture_and_table(fitted, tmp_path):
    curve = budget_curve(*fitted[1:], most=4)
    curve.write(tmp_path / 'new' / 'curve.png')
    with Image.open(tmp_path / 'new' / 'curve.png') as picture:
        assert picture.width > picture.height > 300
    table = json.loads((tmp_path / 'new' / 'curve.json').read_text())
    assert [BudgetPoint(**point) for point in table['points']] == curve.points
    assert (table['where'], table['score']) == curve[:2]
    title, *rows, note = curve.text().splitlines()
    assert title.split() == ['asked', 'share', 'ms', 'accuracy/top1']
    assert [row.split()[0] for row in rows] == ['0.300', '1.000']
    assert curve.where in note


@pytest.mark.parametrize('fitted', ['classification'], indirect=True)
def test_what_is_missing_is_named(fitted, tmp_path):
    cfg, config, checkpoint = fitted
    plain = tmp_path / 'plain.pth'
    torch.save(build_model(cfg).state_dict(), plain)
    with pytest.raises(
        ValueError, match=r'plain.pth has no fitted halting, .*run tools/fit_halting.py'
    ):
        budget_curve(config, str(plain))
    with pytest.raises(ValueError, match="--device must be one that torch can use, got 'abacus'"):
        budget_curve(config, checkpoint, 'abacus')
    nothing = [f'{part}_evaluator=None' for part in ('test', 'val')]
    with pytest.raises(ValueError, match='config must have a test_dataloader with a test_evaluator'):
        budget_curve(config, checkpoint, cfg_options=nothing)
    with pytest.raises(ValueError, match=r'fitted\.pth does not fit the config'):
        budget_curve(config, checkpoint, cfg_options=['model.head.num_classes=3'])
    silent = Config.fromfile(config)
    silent.test_evaluator = dict(type='DumpResults', out_file_path=str(tmp_path / 'dump.pkl'))
    silent.dump(tmp_path / 'silent.py')
    with pytest.raises(ValueError, match="config's evaluator must give a number"):
        budget_curve(tmp_path / 'silent.py', checkpoint, most=4)


def test_images_of_the_annotations_that_did_not_run_are_not_missed(tmp_path):
    """One of two images, found without a fault."""
    init_default_scope('mmdet')
    boxes = [
        {'id': i, 'image_id': i, 'category_id': 1, 'bbox': [2, 2, 8, 8], 'area': 64, 'iscrowd': 0}
        for i in (1, 2)
    ]
    images = [{'id': i, 'height': 32, 'width': 32} for i in (1, 2)]
    content = {'images': images, 'annotations': boxes, 'categories': [{'id': 1, 'name': 'a'}]}
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    loader = SimpleNamespace(
        dataset=SimpleNamespace(dataset=SimpleNamespace(metainfo={'classes': ['a']}))
    )
    metric = dict(type='CocoMetric', ann_file=str(tmp_path / 'coco.json'))
    budget = _Budget(1.0, metric, loader, torch.device('cpu'))
    found = dict(
        bboxes=torch.tensor([[2.0, 2, 10, 10]]), scores=torch.ones(1), labels=torch.zeros(1, dtype=int)
    )
    sample = dict(img_id=1, ori_shape=(32, 32), pred_instances=found)
    budget.evaluator.process([sample], {})
    budget.ids = [1]
    budget.times.stop(1)
    level = MMLogger.get_current_instance().level
    assert budget.point(full=1).scores['coco/bbox_mAP'] == pytest.approx(1.0)
    assert MMLogger.get_current_instance().level == level  # which it lowers meanwhile
