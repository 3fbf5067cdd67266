"""Two ranks through mmdet's own, unmodified tools: by torchrun once, then as it would start them."""

from __future__ import annotations

import math
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed.run

from iterbackbone import IterativeResNet
from iterbackbone.__main__ import config_path, tool_path
from tests.support.gloo_ranks import RANKS
from tests.support.networks import images, varied
from tests.support.openmmlab import read_log
from tests.support.processes import Program
from tests.support.tool_runs import PLAIN, command, losses, run

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]
LAUNCHER = TESTS / 'support/gloo_launcher.py'
TORCHRUN = [torch.distributed.run.__file__, '--standalone', f'--nproc-per-node={RANKS}']
SHAPES = 'faster-rcnn_iterative-r50-tiny_fpn_shapes'
OPTIONS = [
    'model.backbone.base_channels=8',
    'model.neck.in_channels=[32,64,128,256]',
    'model_wrapper_cfg.type=MMDistributedDataParallel',
    'model_wrapper_cfg.device_ids=None',  # no GPU
    'model_wrapper_cfg.broadcast_buffers=False',
]
TRAINING = [
    'train_dataloader.batch_size=2',
    'train_cfg.max_epochs=2',
    'custom_hooks.0.halting_warmup=0.0',
    'custom_hooks.0.ramp=0.0',
    'default_hooks.unequal.type=tests.support.unequal_ranks.UnequalRanks',
    'default_hooks.logger.interval=1',
]


def run_ranks(command, **env):
    """Run mmdet's tool in two processes with torchrun's variables; they need not import torch anew."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env |= {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port), 'WORLD_SIZE': str(RANKS)}
    each = [{**env, 'RANK': str(rank), 'LOCAL_RANK': str(rank)} for rank in range(RANKS)]
    programs = [Program(LAUNCHER, *command, '--launcher', 'pytorch', env=env) for env in each]
    for code, stdout, stderr in [program.wait(timeout=600) for program in programs]:
        assert code == 0, stdout[-3000:] + stderr[-3000:]


@pytest.fixture(scope='module')
def env(shapes_root):
    root = str(TESTS.parent)
    return {'ITERBACKBONE_SHAPES_ROOT': str(shapes_root), 'OMP_NUM_THREADS': '1', 'PYTHONPATH': root}


@pytest.fixture(scope='module')
def trained(env, tmp_path_factory):
    """The work folder of two epochs of two steps, two images a rank."""
    work_dir = tmp_path_factory.mktemp('trained')
    options = [*OPTIONS, *TRAINING]
    train = command('mmdet', 'train', SHAPES, '--work-dir', work_dir, options=options)
    run([*TORCHRUN, LAUNCHER, *train, '--launcher', 'pytorch'], **env)
    return work_dir


def test_ranks_of_unequal_depth_train_the_same_weights(trained):
    steps = losses(trained)
    assert [step for step, _ in steps] == [1, 2, 3, 4]
    assert all(math.isfinite(loss) for _, loss in steps)
    first, second = (
        torch.load(trained / f'rank_{rank}.pth', weights_only=False) for rank in range(RANKS)
    )
    # Of 3, 4, 6 and 3 iterations the last asks no halting unit.
    assert (first['calls'], second['calls']) == (len(steps) * (2 + 3 + 5 + 2), len(steps) * 4)
    for name, parameter in first['parameters'].items():
        assert torch.equal(parameter, second['parameters'][name]), name
        assert parameter.isfinite().all(), name


def test_ranks_that_draw_their_own_depths_train_the_same_weights(env, tmp_path):
    config = tmp_path / 'anytime.py'
    hooks = "custom_hooks = [dict(type='iterbackbone.AnytimeHook', measure_every=2)]"
    config.write_text(f'_base_ = [{str(config_path(SHAPES))!r}]\n{hooks}\n')
    tool = [tool_path('mmdet', 'train'), config, '--work-dir', tmp_path / 'work']
    training = [option for option in TRAINING if not option.startswith('custom_hooks')]
    run_ranks([*tool, '--cfg-options', *PLAIN, *OPTIONS, *training], **env)
    assert len(losses(tmp_path / 'work')) == 4
    first, second = (
        torch.load(tmp_path / 'work' / f'rank_{rank}.pth', weights_only=False) for rank in range(RANKS)
    )
    assert first['calls'] == second['calls'] == 0  # no halting unit is asked
    for name, parameter in first['parameters'].items():
        assert torch.equal(parameter, second['parameters'][name]), name


def test_two_ranks_log_what_one_process_logs(trained, env, shapes_root, tmp_path):
    checkpoint = tmp_path / 'varied.pth'
    spread_iterations(trained / 'epoch_2.pth', checkpoint)
    # Each rank's images in a random order: the log has the data set's.
    options = [*OPTIONS, 'test_dataloader.sampler.shuffle=True', 'custom_hooks.1.gain_images=5']
    test = ('mmdet', 'test', SHAPES, checkpoint, '--work-dir')
    run_ranks(command(*test, tmp_path / 'ranks', options=options), **env)
    run(command(*test, tmp_path / 'alone', options=OPTIONS), **env)
    ranks, one = (read_log(log_folder(tmp_path / name)) for name in ('ranks', 'alone'))
    records, _, meta = ranks
    ids = (shapes_root / 'VOCdevkit/VOC2007/ImageSets/Main/val.txt').read_text().split()
    assert [record['img_id'] for record in records] == ids  # five, so that a sampler repeats one
    assert len({tuple(record['iterations']) for record in records}) > 1
    assert ranks[:2] == one[:2]
    for each in (meta, one[2]):
        assert each.pop('time')['milliseconds_per_image'] > 0  # of two runs never the same
    assert meta == one[2]
    (policy,) = (tmp_path / 'ranks').glob('*/iterations/test_epoch_2_budgets/policy')
    assert read_log(policy)[:2] == ranks[:2]


def log_folder(work_dir):
    (folder,) = work_dir.glob('*/iterations/test_epoch_2')
    return folder


def spread_iterations(source, target):
    """Copy a checkpoint; its images shall halt at different iterations."""
    checkpoint = torch.load(source, weights_only=False)
    prefix, state = 'backbone.', checkpoint['state_dict']
    backbone = IterativeResNet(depth=50, base_channels=8, last_relu=True)
    backbone.load_state_dict(
        {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    )
    varied(backbone, images(8, 64, 96))
    state.update({prefix + key: value for key, value in backbone.state_dict().items()})
    torch.save(checkpoint, target)
