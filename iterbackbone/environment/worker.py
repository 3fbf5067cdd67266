"""Runs probes: ``python worker.py NAME...``, one JSON object a line, until one fails.

A failed import may leave the process half imported, so whoever started it starts another for the
rest. It runs by its path, without iterbackbone, in any interpreter.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

COLOURS = r'\x1b\[[\d;]*m'  # of a terminal


def probe_torch() -> dict[str, Any]:
    """Its version, the CUDA it was built for, the name of the GPU that it sees."""
    import torch

    gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if gpu else None
    return {'version': str(torch.__version__), 'cuda': torch.version.cuda, 'gpu': name}


def probe_torchvision() -> dict[str, Any]:
    """Runs a compiled operator of its own."""
    import torch
    from torchvision.ops import nms

    nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)
    return {}


def probe_numpy() -> dict[str, Any]:
    """Hands an array to torch."""
    import numpy
    import torch

    torch.from_numpy(numpy.zeros(1))
    return {}


def probe_cv2() -> dict[str, Any]:
    """Imports it."""
    import cv2  # noqa: F401

    return {}


def probe_pycocotools() -> dict[str, Any]:
    """Imports its compiled part."""
    import pycocotools.mask  # noqa: F401

    return {}


def probe_mmengine() -> dict[str, Any]:
    """Does what reading 'mmdet::...' bases does."""
    from mmengine.utils import is_installed

    is_installed('mmengine')
    return {}


def probe_checkpoint() -> dict[str, Any]:
    """Reads a checkpoint as mmengine's runner writes one."""
    import torch
    from mmengine.logging import MessageHub
    from mmengine.runner.checkpoint import CheckpointLoader

    hub = MessageHub('iterbackbone')
    hub.update_scalar('loss', 1.0)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'epoch_1.pth'))
        torch.save({'state_dict': {}, 'message_hub': hub.state_dict()}, path)
        CheckpointLoader.load_checkpoint(path, map_location='cpu')
    return {}


def probe_mmcv() -> dict[str, Any]:
    """Runs operators on the CPU; the CUDA that they were built for."""
    import torch
    from mmcv.ops import get_compiling_cuda_version

    _run_operators(torch.device('cpu'))
    return {'cuda': get_compiling_cuda_version()}


def probe_mmcv_gpu() -> dict[str, Any]:
    """Runs operators on the GPU, where torch sees one."""
    import torch

    if torch.cuda.is_available():
        _run_operators(torch.device('cuda'))
    return {}


def _run_operators(device: Any) -> None:
    import torch
    from mmcv.ops import nms, roi_align

    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]], device=device)
    nms(boxes, torch.ones(1, device=device), 0.5)
    rois = torch.cat([torch.zeros(1, 1, device=device), boxes], dim=1)
    roi_align(torch.ones(1, 1, 8, 8, device=device), rois, (2, 2))


def probe_mmdet() -> dict[str, Any]:
    """Imports its models."""
    import mmdet.apis
    import mmdet.models  # noqa: F401

    return {}


def probe_mmseg() -> dict[str, Any]:
    """Imports its models."""
    import mmseg.apis
    import mmseg.models  # noqa: F401

    return {}


def probe_mmpretrain() -> dict[str, Any]:
    """Imports its models."""
    import mmpretrain.apis
    import mmpretrain.models  # noqa: F401

    return {}


def probe_iterbackbone() -> dict[str, Any]:
    """Runs a small network."""
    import torch

    from iterbackbone import IterativeResNet

    network = IterativeResNet(base_channels=4, max_iterations=(1, 2, 2, 1)).eval()
    network(torch.rand(1, 3, 64, 64))
    return {}


# Name: (package that it examines, probe). In this order, the later ones import the earlier.
PROBES = {
    'torch': ('torch', probe_torch),
    'numpy': ('numpy', probe_numpy),
    'torchvision': ('torchvision', probe_torchvision),
    'cv2': ('cv2', probe_cv2),
    'pycocotools': ('pycocotools', probe_pycocotools),
    'mmengine': ('mmengine', probe_mmengine),
    'checkpoint': ('mmengine', probe_checkpoint),
    'mmcv': ('mmcv', probe_mmcv),
    'mmcv on the GPU': ('mmcv', probe_mmcv_gpu),
    'mmdet': ('mmdet', probe_mmdet),
    'mmseg': ('mmseg', probe_mmseg),
    'mmpretrain': ('mmpretrain', probe_mmpretrain),
    'iterbackbone': ('iterbackbone', probe_iterbackbone),
}


def run(name: str) -> dict[str, Any]:
    """A probe's name and the fields of its Outcome."""
    package, probe = PROBES[name]
    if find_spec(package) is None:
        return {'name': name, 'missing': True}
    try:
        return {'name': name, 'facts': probe()}
    except BaseException as error:  # an import may raise anything, SystemExit too
        text = re.sub(COLOURS, '', str(error))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return {'name': name, 'error': ': '.join([type(error).__name__, *lines[:1]])}


def main() -> None:
    """The command line."""
    results = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what packages print goes to standard error
    del sys.path[0]  # this folder, in which no package of the probes' lies
    for name in sys.argv[1:]:
        outcome = run(name)
        print(json.dumps(outcome), file=results, flush=True)
        if 'error' in outcome:
            break


if __name__ == '__main__':
    main()
