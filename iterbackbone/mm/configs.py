"""A config file: the toolbox that it belongs to, the model that it builds, and its images."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.utils import to_2tuple
from torch import nn

from ..core.macs import Size
from ..timing import checked_device
from .checkpoints import load_weights_only, weights_for

TOOLBOXES = {'mmdet': 'DetDataSample', 'mmseg': 'SegDataSample', 'mmpretrain': 'DataSample'}


def read_config(path: Path, options: dict[str, Any] | None = None) -> Config:
    """A model's config, with overrides as of ``--cfg-options``; ValueError for any other file."""
    if not path.is_file():
        raise ValueError(f'config must be a file, got {path}')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is a program, which may raise anything
        raise ValueError(f'config {path}: {type(error).__name__}: {error}') from None
    try:
        cfg.merge_from_dict(options or {})
    except (TypeError, KeyError) as error:  # below a text, or beyond a list's end
        raise ValueError(f'--cfg-options: {error}') from None
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(f'config must have a model, got {path}')
    return cfg


def toolbox_of(cfg: Config) -> str:
    """``default_scope``, or else the toolbox of the model's type; ValueError for any other."""
    scope, kind = cfg.get('default_scope'), cfg.model.get('type')
    place = kind if isinstance(kind, str) else getattr(kind, '__module__', '')
    toolbox = scope or place.split('.')[0]
    if toolbox not in TOOLBOXES:
        found = f'default_scope {scope!r}' if scope else f'model type {kind!r} and no default_scope'
        raise ValueError(f'config must be of {", ".join(TOOLBOXES)}, got {found} in {cfg.filename}')
    return toolbox


def toolbox_of_model(model: nn.Module) -> str:
    """The one that the model's class, or a base of it, belongs to; ValueError for none."""
    for kind in type(model).__mro__:
        if (package := kind.__module__.split('.')[0]) in TOOLBOXES:
            return package
    raise ValueError(f'model must be of one of {sorted(TOOLBOXES)}, got {type(model).__name__}')


def build_model(cfg: Config) -> nn.Module:
    """The config's model in evaluation mode, SyncBN as BN, with random weights and no download."""
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    model = copy.deepcopy(cfg.model)
    model.pop('pretrained', None)  # some load it when they are built; others in init_weights only
    if cfg.get('data_preprocessor'):  # as in mmengine's Runner
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    return revert_sync_batchnorm(MODELS.build(model)).eval()


def trained_model(cfg: Config, checkpoint: str, device: str) -> tuple[nn.Module, Mapping[str, Any]]:
    """The config's model with a checkpoint's weights, and its content; ValueError: it does not fit."""
    content = load_weights_only(checkpoint)
    model = build_model(cfg)
    model.load_state_dict(weights_for(model, content, checkpoint), strict=False)
    return model.to(checked_device(device)).eval(), content


def random_input(model: nn.Module, size: Size) -> dict[str, Any]:
    """What the model's data preprocessor makes of one image of noise, ``size`` (H, W) in pixels.

    ``inputs`` (1, C, H, W), padded as in a real run, with the channels that the first convolution
    takes, and ``data_samples``. ValueError: the model is of another library.
    """
    toolbox = toolbox_of_model(model)
    metainfo = dict(img_shape=size, ori_shape=size, pad_shape=size, scale_factor=(1.0, 1.0))
    structures = import_module(f'{toolbox}.structures')
    sample = getattr(structures, TOOLBOXES[toolbox])(metainfo=metainfo)
    noise = torch.randint(256, (_channels(model), *size), generator=torch.Generator().manual_seed(0))
    data = {'inputs': [noise.to(torch.uint8)], 'data_samples': [sample]}
    return model.data_preprocessor(data, False)


def _channels(model: nn.Module) -> int:
    """Of the model's images: as many as its first convolution takes; 3 without one."""
    modules = list(getattr(model, 'backbone', model).modules())
    first = next((m.in_channels for m in modules if isinstance(m, nn.Conv2d)), 3)
    stacked = any(type(module).__name__ == 'Focus' for module in modules)  # YOLOX's: of four pixels
    return first // 4 if stacked else first


def pipeline_size(cfg: Config) -> Size | None:
    """(H, W) of the test pipeline's centre crop, or the largest of its first Resize; None without."""
    for kind, key in (('CenterCrop', 'crop_size'), ('Resize', 'scale')):
        for step in pipeline_of(cfg):
            if step.get(key) and 'type' in step and type_name(step) == kind:
                width, height = to_2tuple(step[key])
                return height, width
    return None


def pipeline_of(cfg: Config) -> Sequence[Any]:
    """Steps of the innermost data set to test, or else to validate with; of the first of several."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    dataset = loader.get('dataset') or {}
    while inner := dataset.get('dataset') or dataset.get('datasets'):  # such as ConcatDataset's
        dataset = inner[0] if isinstance(inner, (list, tuple)) else inner
    return dataset.get('pipeline') or ()


def type_name(step: Any) -> str:
    """Of a transform's or data set's config, whose type may be a class."""
    kind = step['type']
    return kind.__name__ if isinstance(kind, type) else str(kind).split('.')[-1]
