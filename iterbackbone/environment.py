"""What does not work here: packages are tried together, or else each in a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from typing import NamedTuple

OPENMMLAB = ('mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain')

OPERATORS = """
import torch
from mmcv.ops import nms, roi_align
for device in ('cpu', 'cuda')[: 1 + torch.cuda.is_available()]:
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]], device=device)
    nms(boxes, torch.ones(1, device=device), 0.5)
    rois = torch.cat([torch.zeros(1, 1, device=device), boxes], dim=1)
    roi_align(torch.ones(1, 1, 8, 8, device=device), rois, (2, 2))
"""
# What mmengine's runner writes, it must read: the originals cannot from torch 2.6 on.
CHECKPOINT = """
import tempfile, torch
from mmengine.logging import MessageHub
from mmengine.runner.checkpoint import CheckpointLoader
hub = MessageHub('iterbackbone')
hub.update_scalar('loss', 1.0)
with tempfile.NamedTemporaryFile(suffix='.pth') as file:
    torch.save({'state_dict': {}, 'message_hub': hub.state_dict()}, file.name)
    CheckpointLoader.load_checkpoint(file.name, map_location='cpu')
"""
NETWORK = """
import importlib.util, torch, iterbackbone
network = iterbackbone.IterativeResNet(base_channels=4, max_iterations=(1, 2, 2, 1)).eval()
network(torch.rand(1, 3, 64, 64))
if importlib.util.find_spec('mmcv'):
    import iterbackbone.mm
"""
# Package: what is run to try it.
TRIALS = {
    'torch': 'import torch; torch.ones(1) + 1',
    'numpy': 'import numpy, torch; torch.from_numpy(numpy.zeros(1))',
    'torchvision': 'import torch, torchvision.ops as o; o.nms(torch.ones(1, 4), torch.ones(1), 0.5)',
    'cv2': 'import cv2',
    'pycocotools': 'import pycocotools.mask',
    'mmengine': CHECKPOINT,
    'mmcv': 'import mmcv',
    'mmdet': f'import mmdet.apis, mmdet.models\n{OPERATORS}',
    'mmseg': f'import mmseg.apis, mmseg.models\n{OPERATORS}',
    'mmpretrain': 'import mmpretrain.apis, mmpretrain.models',
    'iterbackbone': NETWORK,
}
NEEDED = ('torch', 'numpy', 'iterbackbone')
DESCRIPTION = """
from mmengine.utils.dl_utils import collect_env
for name, value in collect_env().items():
    if '\\n' not in str(value):
        print(f'{name}: {value}')
"""


def need(extra: str, *packages: str) -> None:
    """Raise ModuleNotFoundError, with the command that helps, where one of ``packages`` is missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        command = f"pip install 'iterbackbone[{extra}]'"
        raise ModuleNotFoundError(f'no {", ".join(missing)} here: {command}', name=missing[0])


class Finding(NamedTuple):
    """One line of the result."""

    check: str  # what was tried: a package, or 'pip check'
    level: str  # 'ok', 'warning' or 'error'; with an error the environment is not usable
    reason: str  # in one line, the version where all is well


def findings() -> list[Finding]:
    """One finding a package, in the order in which errors are to be fixed, then pip's."""
    owners = {name: sorted(set(found)) for name, found in packages_distributions().items()}
    there = [name for name in TRIALS if name in owners or find_spec(name) is not None]
    all_work = _run('-c', '\n'.join(TRIALS[name] for name in there))[0] == 0
    found = []
    for name in TRIALS:
        own = owners.get(name, [])
        failed, said = False, ', '.join(f'{owner} {version(owner)}' for owner in own)
        if len(own) > 1 and name in OPENMMLAB:
            failed, said = True, f'{" and ".join(own)} overwrite files of each other'
        elif name not in there:
            failed, said = name in NEEDED, 'not installed'
        elif not all_work:
            status, last = _run('-c', TRIALS[name])
            failed, said = status != 0, last if status else said
        found.append(Finding(name, 'error' if failed else 'ok', said))
    status, said = _run('-m', 'pip', 'check')
    return [*found, Finding('pip check', 'warning' if status else 'ok', said)]


def _run(*arguments: str) -> tuple[int, str]:
    """Exit status and last line of a child process, which imports nothing from this folder."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', cwd='/'
    )
    said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    how = [f'crashed by signal {-done.returncode}'] if done.returncode < 0 else []
    return done.returncode, ': '.join(how + said[-1:])


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the check."""
    parser.add_argument('--json', action='store_true', help='print the findings as JSON')


def run(args: argparse.Namespace) -> int:
    """Check this environment, print what was found; the exit status, 0 where it is usable, else 1."""
    found = findings()
    usable = not any(each.level == 'error' for each in found)
    if args.json:
        print(json.dumps({'usable': usable, 'findings': [each._asdict() for each in found]}, indent=2))
    else:
        if any(each.check == 'mmengine' and each.level == 'ok' for each in found):
            subprocess.run([sys.executable, '-c', DESCRIPTION], stderr=subprocess.DEVNULL)
        print('\n'.join(f'{each.level:<9}{each.check:<14}{each.reason}' for each in found))
        print('usable' if usable else 'not usable: docs/environment.md lists known errors and commands')
    return 0 if usable else 1
