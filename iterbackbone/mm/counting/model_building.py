"""A config's model with random weights, and an image to run it on."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from ...core.macs import Size

SAMPLES = {
    'mmdet': ('mmdet.structures', 'DetDataSample'),
    'mmseg': ('mmseg.structures', 'SegDataSample'),
    'mmpretrain': ('mmpretrain.structures', 'DataSample'),
}


def read_config(path: Path, options: dict[str, Any] | None = None) -> Config:
    """Read an OpenMMLab config.

    Args:
        path: The file.
        options: Overrides as of ``--cfg-options``.

    Raises:
        ValueError: there is no such file, or it is no config of a model.
    """
    if not path.is_file():
        raise ValueError(f'config must be a file, got {path}')
    try:
        cfg = Config.fromfile(path)
    except OSError as error:  # of another type than .py, or a base is missing
        raise ValueError(f'config {path}: {error}') from None
    except Exception as error:  # a config is a program, which may raise anything
        raise ValueError(f'config {path}: {type(error).__name__}: {error}') from None
    cfg.merge_from_dict(options or {})
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(f'config must have a model, got {path}')
    return cfg


def build_model(cfg: Config) -> nn.Module:
    """The config's model in evaluation mode, SyncBN as BN.

    Weights are random and nothing is downloaded: mmengine's modules read the checkpoints that a config
    names in ``init_weights`` only.
    """
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    model = copy.deepcopy(cfg.model)
    model.pop('pretrained', None)  # some load it when they are built
    if cfg.get('data_preprocessor'):  # as in mmengine's Runner
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    return revert_sync_batchnorm(MODELS.build(model)).eval()


def random_input(model: nn.Module, size: Size) -> dict[str, Any]:
    """What the model's data preprocessor makes of one image of noise.

    Args:
        model: mmdet's, mmseg's or mmpretrain's.
        size: (H, W) of the image in pixels.

    Returns:
        ``inputs`` (1, 3, H, W), padded as in a real run, and ``data_samples``.

    Raises:
        ValueError: the model is of another library.
    """
    libraries = [kind.__module__.split('.')[0] for kind in type(model).__mro__]
    known = [library for library in libraries if library in SAMPLES]
    if not known:
        raise ValueError(f'model must be of one of {sorted(SAMPLES)}, got {type(model).__name__}')
    package, name = SAMPLES[known[0]]
    metainfo = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    sample = getattr(import_module(package), name)(metainfo=metainfo)
    noise = torch.randint(256, (3, *size), generator=torch.Generator().manual_seed(0))
    data = {'inputs': [noise.to(torch.uint8)], 'data_samples': [sample]}
    return model.data_preprocessor(data, False)


def pipeline_size(cfg: Config) -> Size | None:
    """(H, W) of the test pipeline's centre crop, or of its first Resize with a scale.

    Where that keeps the aspect ratio it is the largest size it makes. None without either.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    steps = list(_steps(loader.get('dataset')))
    for kind, key in (('CenterCrop', 'crop_size'), ('Resize', 'scale')):
        for step in steps:
            if str(step.get('type')).split('.')[-1] == kind and step.get(key):
                size = step[key]
                width, height = (size, size) if isinstance(size, int) else size
                return height, width
    return None


def _steps(cfg: Any) -> Iterator[dict[str, Any]]:
    """All dicts below ``cfg``, in order: wrapped datasets, their pipelines, their steps."""
    if isinstance(cfg, dict):
        yield cfg
        for value in cfg.values():
            yield from _steps(value)
    elif isinstance(cfg, (list, tuple)):
        for value in cfg:
            yield from _steps(value)


def type_name(step: Any) -> str:
    """Of a transform's or data set's config, whose type may be a class."""
    kind = step['type']
    return kind.__name__ if isinstance(kind, type) else str(kind).split('.')[-1]
