"""Reads a checkpoint from wherever mmengine finds one, weights only."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine import dist, fileio, runner

from ...pretrained.index import SCHEME, find_weights
from ...warm_start.safe_loading import load_checkpoint, read_checkpoint

ADDRESSES: dict[str, Callable[[], Mapping[str, str]]] = {
    'torchvision': runner.get_torchvision_models,
    'modelzoo': runner.get_torchvision_models,
    'open-mmlab': runner.get_external_models,
    'openmmlab': runner.get_external_models,
    'mmcls': runner.get_mmcls_models,
}


def load_weights_only(name: str) -> Mapping[str, Any]:
    """The content of a checkpoint, tensors on the CPU.

    mmengine itself reads a file again without care where the careful attempt fails, and a download
    at once without care.

    Args:
        name: A path, an address, or a model's name as ``'torchvision://resnet50'`` or
            ``'iterbackbone://NAME'``.

    Raises:
        ValueError: there is no such checkpoint, it cannot be read, or it wants to run code.
    """
    if '://' not in name:
        return load_checkpoint(Path(os.path.expanduser(name)))
    if name.startswith(SCHEME):
        return load_from_iterbackbone(name)
    scheme, model = name.split('://', 1)
    address = _address(scheme, model, name) if scheme in ADDRESSES else name
    if urlparse(address).scheme in ('http', 'https'):
        return load_checkpoint(_downloaded(address))
    try:
        content = fileio.get(address)
    except Exception as error:  # of any storage's client
        raise ValueError(f'checkpoint {name} cannot be fetched ({error!r})') from error
    return read_checkpoint(io.BytesIO(content), name)


def _address(scheme: str, model: str, name: str) -> str:
    known = ADDRESSES[scheme]()
    if 'mmlab' in scheme:
        model = runner.get_deprecated_model_names().get(model, model)
    if model not in known:
        raise ValueError(f'checkpoint must be a known model, got {name!r}')
    return known[model]


def _downloaded(address: str) -> Path:
    """Where mmengine keeps a download; the first process makes it, others wait for it."""
    path = Path(torch.hub.get_dir(), 'checkpoints', PurePosixPath(urlparse(address).path).name)
    try:
        if dist.get_rank() == 0:
            _download(address, path)
    finally:
        dist.barrier()  # others wait there, whatever became of it
    _download(address, path)  # where another machine's first process did not
    return path


def _download(address: str, path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(address, str(path), progress=dist.get_rank() == 0)
    except OSError as error:
        raise ValueError(f'checkpoint {address} cannot be fetched ({error})') from error


@runner.CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_iterbackbone(name: str, map_location: Any = None) -> dict[str, Any]:
    """``iterbackbone://NAME`` wherever mmengine reads a checkpoint; ValueError for no such weights."""
    weights = find_weights(name.removeprefix(SCHEME))
    dataset = dict(classes=tuple(weights.classes), palette=palette(len(weights.classes)))
    return dict(state_dict=weights.read(), meta=dict(dataset_meta=dataset))


def palette(count: int) -> list[list[int]]:
    """Red, green and blue of each class, always the same: mmseg cannot draw classes without."""
    return np.random.default_rng(0).integers(256, size=(count, 3)).tolist()
