"""Through mmseg's own, unmodified tools: train, SIGKILL, resume, test, test-time augmentation."""

from __future__ import annotations

import math

import pytest
import torch

from iterbackbone.__main__ import config_path
from tests.support.openmmlab import read_log
from tests.support.tool_runs import LOADERS, NARROW, command, kill_after, losses, run

pytestmark = pytest.mark.slow
SHAPES = 'upernet_iterative-r50-tiny_shapes'
AS_THEY_ARE = [  # the scenes of 96x64
    f'{x}.dataset.pipeline.{k}.scale=(96,64)' for x, k in zip(LOADERS, (2, 1, 1), strict=True)
]
TTA = """
_base_ = {base!r}
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale_factor=factor, keep_ratio=True) for factor in (1.0, 2.0)],
        [dict(type='RandomFlip', prob=p, direction='horizontal') for p in (0.0, 1.0)],
        [dict(type='LoadAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]
"""


@pytest.fixture(scope='module')
def trained(shapes_root, tmp_path_factory):
    """A training that was killed behind its first checkpoint and resumed; losses before the kill."""
    env = {'ITERBACKBONE_SHAPES_ROOT': str(shapes_root), 'OMP_NUM_THREADS': '1'}
    options = [*NARROW, *AS_THEY_ARE, 'train_dataloader.batch_size=4']
    options += ['train_cfg.max_epochs=8', 'train_cfg.val_interval=1']
    options += [f'default_hooks.{hook}.interval=1' for hook in ('logger', 'checkpoint')]
    work_dir = tmp_path_factory.mktemp('killed')

    def train(*args):
        return command('mmseg', 'train', SHAPES, '--work-dir', work_dir, *args, options=options)

    kill_after(train(), work_dir, 'last_checkpoint', **env)
    before = losses(work_dir)
    run(train('--resume'), **env)
    return work_dir, before, env


def test_killed_and_resumed_training_goes_on_to_the_end(trained):
    work_dir, before, _ = trained
    assert 2 <= len(before) < 16  # of 8 images, 4 a step, 8 epochs
    resumed = losses(work_dir)[len(before) :]
    steps = [step for step, _ in resumed]
    assert 2 < steps[0] <= len(before) + 1  # went on behind a checkpoint
    assert steps[0] % 2 == 1
    assert steps == list(range(steps[0], 17))
    assert all(math.isfinite(loss) for _, loss in resumed)
    state = torch.load(work_dir / 'epoch_8.pth', weights_only=False)
    assert (state['meta']['epoch'], state['meta']['iter']) == (8, 16)
    for folder in work_dir.glob('*/iterations/val_epoch_*'):
        complete = (folder / 'meta.json').exists()
        assert complete == (not list(folder.rglob('*.part')))


def test_the_checkpoint_is_tested(trained, tmp_path):
    work_dir, _, env = trained
    checkpoint = work_dir / 'epoch_8.pth'
    options = [*NARROW, *AS_THEY_ARE]
    test = command('mmseg', 'test', SHAPES, checkpoint, '--work-dir', tmp_path, options=options)
    assert 'mIoU' in run(test, **env)
    (folder,) = tmp_path.glob('*/iterations/test_epoch_8')
    records, predictions, meta = read_log(folder)
    assert len(records) == len(predictions) == 5
    assert meta['checkpoint'] == str(checkpoint)
    (val,) = work_dir.glob('*/iterations/val_epoch_8')
    assert read_log(val)[:2] == (records, predictions)
    for name in [prediction['predicted_map'] for prediction in predictions]:
        assert (folder / name).read_bytes() == (val / name).read_bytes()


def test_the_checkpoint_is_tested_with_augmentation(trained, tmp_path):
    work_dir, _, env = trained
    config = tmp_path / 'with_tta.py'
    config.write_text(TTA.format(base=str(config_path(SHAPES))))
    test = command('mmseg', 'test', SHAPES, work_dir / 'epoch_8.pth', '--tta', '--work-dir', tmp_path)
    test[1] = config
    assert 'mIoU' in run([*test, *NARROW], **env)
    (folder,) = tmp_path.glob('*/iterations/test_epoch_8')
    records, _, meta = read_log(folder)
    assert {record['num_calls'] for record in records} == {4}
    assert meta['mac_table']['input_size'] == [128, 192]
    (val,) = work_dir.glob('*/iterations/val_epoch_8')
    for record, single in zip(records, read_log(val)[0], strict=True):
        assert record['macs_full'] > 9 * single['macs_full']  # 2 of one size and 2 of four times it
        assert record['num_objects'] == single['num_objects']
