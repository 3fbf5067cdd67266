"""Which toolbox a config belongs to, and its data sets."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from .counting.model_building import read_config

TOOLBOXES = ('mmdet', 'mmseg', 'mmpretrain')


def num_gpus() -> int:
    """That torch sees."""
    return torch.cuda.device_count()


def toolbox_of_file(path: Path) -> str:
    """The toolbox of a config file.

    Raises:
        ValueError: it is no config of a model, or of no known toolbox.
    """
    return toolbox_of(read_config(path), str(path))


def toolbox_of(cfg: Config, name: str) -> str:
    """``default_scope``, or else the toolbox that registers the model's type.

    Args:
        cfg: With a model.
        name: Of the config, for the error.

    Raises:
        ValueError: it is none of :data:`TOOLBOXES`.
    """
    scope, kind = cfg.get('default_scope'), cfg.model.get('type')
    if scope in TOOLBOXES:
        return scope
    of_type = _registered_in(kind) if scope is None else None
    if of_type is None:
        found = f'default_scope {scope!r}' if scope else f'model type {kind!r} and no default_scope'
        raise ValueError(f'config must be of {", ".join(TOOLBOXES)}, got {found} in {name}')
    return of_type


def load_datasets(toolbox: str | None) -> None:
    """Import a known toolbox's data sets, which would otherwise happen later, before our own lines.

    They print 'Could not import OneDL' then, meant as a debug message.
    """
    if toolbox in TOOLBOXES:
        with redirect_stdout(io.StringIO()):
            import_module(f'{toolbox}.datasets')


def _registered_in(kind: Any) -> str | None:
    prefix = (kind if isinstance(kind, str) else getattr(kind, '__module__', '')).split('.')[0]
    if prefix in TOOLBOXES:
        return prefix
    for toolbox in filter(find_spec, TOOLBOXES):
        import_module(f'{toolbox}.models')  # fills the registry
        if kind in import_module(f'{toolbox}.registry').MODELS.module_dict:
            return toolbox
    return None
