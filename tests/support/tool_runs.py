"""OpenMMLab's own, unmodified tools as processes: started, killed, read."""

from __future__ import annotations

import json
import os
import signal
import time

from iterbackbone.__main__ import config_path, tool_path
from tests.support.processes import Program

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
PLAIN = ['randomness.seed=0'] + [
    f'{x}.{option}' for x in LOADERS for option in ('num_workers=0', 'persistent_workers=False')
]
NARROW = [  # a UPerNet at an eighth of its width
    'model.backbone.base_channels=8',
    'model.decode_head.in_channels=[32,64,128,256]',
    'model.decode_head.channels=16',
    'model.auxiliary_head.in_channels=128',
    'model.auxiliary_head.channels=16',
]


def command(package, tool, config, *args, options=()):
    """Of a package's tool without worker processes, with ``--cfg-options``."""
    start = [tool_path(package, tool), config_path(config), *args]
    return [*start, '--cfg-options', *PLAIN, *options]


def run(command, **env):
    """What it printed; an exit code other than 0 is an error."""
    code, stdout, stderr = Program(*command, env=env).wait(timeout=600)
    assert code == 0, stdout[-3000:] + stderr[-3000:]
    return stdout + stderr


def losses(work_dir):
    """(step, loss) of all runs in a work folder, in order."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [(line['step'], line['loss']) for line in lines if 'loss' in line]


def kill_after(command, work_dir, marker, **env):
    """Start a training and SIGKILL its whole process group once ``marker`` is written."""
    program = Program(*command, env=env)
    deadline = time.monotonic() + 300
    written = work_dir / marker
    while not (written.exists() and written.stat().st_size):
        assert program.process.exitcode is None, 'training ended before it was killed'
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(program.process.pid, signal.SIGKILL)
    assert program.wait()[0] == -signal.SIGKILL
