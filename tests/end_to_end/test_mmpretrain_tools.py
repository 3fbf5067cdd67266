"""Through mmpretrain's own, unmodified tools: train, test, report; generated and real images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.classification_runs import write_class_folders
from tests.support.openmmlab import read_log
from tests.support.tool_runs import command, run

pytestmark = pytest.mark.slow
CONFIG = 'iterative-tiny_1xb64_cifar10-subset'
SHALLOW = ['model.backbone.max_iterations=(2,2,3,2)', 'train_dataloader.batch_size=8']
ONE_EPOCH = ['train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
TOOLS = Path(__file__).parents[2] / 'tools'


def train(root, work_dir):
    """The folder of the evaluation that ends the training, and the environment."""
    env = {'ITERBACKBONE_DATA_ROOT': str(root), 'OMP_NUM_THREADS': '1'}
    options = [*SHALLOW, *ONE_EPOCH]
    args = ('mmpretrain', 'train', CONFIG, '--work-dir', work_dir)
    assert 'loss_ponder' in run(command(*args, options=options), **env)
    (folder,) = work_dir.glob('*/iterations/val_epoch_1')
    return folder, env


def test_generated_images(tmp_path):
    write_class_folders(tmp_path, train=2, test=1)
    work_dir = tmp_path / 'work'
    val, env = train(tmp_path, work_dir)
    args = ('mmpretrain', 'test', CONFIG, work_dir / 'epoch_1.pth', '--work-dir', work_dir)
    assert 'accuracy/top1' in run(command(*args, options=SHALLOW), **env)
    (test,) = work_dir.glob('*/iterations/test_epoch_1')
    assert read_log(val)[:2] == read_log(test)[:2]
    records, _, meta = read_log(test)
    assert (len(records), meta['task'], meta['epoch']) == (10, 'classification', 1)
    assert meta['classes'][0] == 'airplane'
    run([TOOLS / 'analyze_iterations.py', test, '--out', tmp_path / 'report'], **env)
    names = {path.name for path in (tmp_path / 'report').iterdir()}
    assert {'report.html', 'figure4.png', 'easiest.png', 'hardest.png'} <= names


@pytest.mark.real_data
def test_real_images(cifar10, tmp_path):
    for split, count in (('train', 2), ('test', 1)):
        for folder in (cifar10 / 'cifar10' / split).iterdir():
            target = tmp_path / 'cifar10' / split / folder.name
            target.mkdir(parents=True)
            for file in sorted(folder.glob('*.png'))[:count]:
                shutil.copy(file, target)
    folder, _ = train(tmp_path, tmp_path / 'work')
    records, _, meta = read_log(folder)
    assert [record['class_names'] for record in records] == [[name] for name in meta['classes']]
    assert {(record['height'], record['width']) for record in records} == {(32, 32)}
