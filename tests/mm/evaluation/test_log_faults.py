"""Broken weights and images, and a hostile checkpoint, under a Runner."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.evaluation import logged_evaluation
from tests.support.openmmlab import detector_config
from tests.support.resnets import RunsCode
from tests.support.tiny_training import TinyClassifier, train_tiny

VOC = 'VOCdevkit/VOC2007'
PARTS = [f'val_epoch_0.part/{name}.jsonl.0.part' for name in ('predictions', 'records')]


@pytest.fixture
def shapes(shapes_root, tmp_path):
    """A copy of the scenes to damage."""
    return Path(shutil.copytree(shapes_root, tmp_path / 'shapes'))


def runner_of(root, tmp_path, **log):
    cfg = detector_config(root, tmp_path / 'run')
    cfg.custom_hooks[1].update(log)
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
    cfg.visualizer['name'] = cfg.experiment_name = tmp_path.name
    return Runner.from_cfg(cfg)


def logged(runner):
    folder = Path(runner.log_dir, 'iterations')
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*.*') if p.is_file())


def ids(root, split):
    return (root / VOC / f'ImageSets/Main/{split}.txt').read_text().split()


def test_a_nan_score_is_an_error_that_names_stage_and_iteration(shapes_root, tmp_path):
    runner = runner_of(shapes_root, tmp_path)
    runner.model.backbone.stages[1].blocks[0].halting.fc2.bias.data.fill_(float('nan'))
    message = r'NaN: IterativeResNet stages\.1\.blocks\.0, iteration 1, row 0'
    with pytest.raises(FloatingPointError, match=message):
        runner.val()
    assert logged(runner) == PARTS


def test_an_unreadable_image_is_mmdets_error_and_leaves_only_parts(shapes, tmp_path):
    path = shapes / VOC / 'JPEGImages' / f'{ids(shapes, "val")[2]}.jpg'
    path.write_bytes(path.read_bytes()[:20])
    runner = runner_of(shapes, tmp_path)
    with pytest.raises(Exception, match=path.stem) as caught:
        runner.val()
    assert 'iterbackbone' not in str(caught.traceback[-1].path)
    assert logged(runner) == PARTS


@pytest.mark.parametrize('fault', ['SampleReader', 'EvaluationFolder'])
def test_nothing_listens_behind_an_evaluation_that_could_not_begin(
    shapes_root, tmp_path, monkeypatch, fault
):
    """The next one of the process lets go what the first, such as on a full disk, had attached."""
    runner = runner_of(shapes_root, tmp_path, gain_images=1)
    made = getattr(logged_evaluation, fault)

    def failing(first, *rest):
        if fault == 'SampleReader' or '_budgets' in str(first):
            raise OSError('No space left on device')
        return made(first, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(logged_evaluation, fault, failing)
        with pytest.raises(OSError, match='No space left'):
            runner.val()
    runner.val()
    assert not runner.model.backbone._forward_hooks


def test_mmdets_hook_for_invalid_losses_sees_the_ponder_cost(tmp_path):
    from mmdet.engine.hooks import CheckInvalidLossHook

    model = TinyClassifier()
    model.backbone.stages[1].blocks[0].halting.fc2.bias.data.fill_(float('nan'))
    with pytest.raises(AssertionError) as caught:
        train_tiny(tmp_path, CheckInvalidLossHook(1), model=model, more_hooks=[PonderCostHook()])
    assert 'checkloss_hook' in str(caught.traceback[-1].path)


def test_resuming_runs_nothing_where_torch_reads_weights_only(tmp_path, monkeypatch):
    """mmengine alone would read such a file again without care."""
    path, ran = tmp_path / 'a.pth', tmp_path / 'ran'
    torch.save({'state_dict': TinyClassifier().state_dict(), 'meta': RunsCode(ran)}, path)
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(Exception, match='Weights only load failed'):
        train_tiny(tmp_path / 'run', None, resume=True, load_from=str(path))
    assert not ran.exists()
