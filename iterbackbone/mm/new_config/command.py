"""Writes the config, builds it, and says what changed."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from textwrap import indent
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from ...files import write_together
from ...text import cause
from ..configs import build_model, random_input, read_config, toolbox_of
from .changes import Pyramid, base_model, changed_parts, config_text

SIDE = 128  # pixels of the image on which the written model runs


def write_config(path: Path, base: Path, name: str) -> str:
    """Write a config that inherits ``base`` with an IterativeResNet; return what was written.

    The ``name`` is ``package::FILE``, or '' for a file. ValueError: the base cannot be served.
    """
    cfg = read_config(base)
    toolbox_of(cfg)  # or it is refused
    if not isinstance(base_model(cfg).get('backbone'), dict):
        raise ValueError(f'{base} has no backbone to replace')
    old = built(cfg, str(base))
    pyramid = Pyramid.of(_with_backbone(old).backbone)
    changed = changed_parts(base_model(cfg), pyramid)
    text = config_text(base_line(path, base, name), cfg, pyramid, changed)
    write_together(path.parent, {path.name: text.encode()})
    try:
        new = built(read_config(path), 'the config')
        _run(_with_backbone(new), base)
    except BaseException:
        path.unlink()
        raise
    before, after = (sum(p.numel() for p in m.parameters()) / 1e6 for m in (old, new))
    channels, new_channels = (', '.join(map(str, each)) for each in pyramid[1:3])
    return (
        f'Wrote {path}, which inherits {name or base}:\n{indent(text, "  ")}\n'
        f'{pyramid.name} with channels {channels} -> IterativeResNet with {new_channels}\n'
        f'parameters {before:.1f} M -> {after:.1f} M, all random: load no weights of the old backbone\n'
        f'It builds and runs. Next: iterbackbone train {shlex.quote(str(path))}\n'
        'It trains every depth; tools/fit_halting.py then fits the halting'
    )


def base_line(path: Path, base: Path, name: str) -> str:
    """What inherits ``base`` in the config at ``path``; arguments as of :func:`write_config`."""
    package, _, file = name.partition('::')
    if package == 'mmseg':  # mmengine looks for a distribution of another name
        folder = '/.mim/configs/' if '.mim' in base.parts else '/../configs/'
        return f"_base_ = __import__('mmseg').__path__[0] + '{folder}{file}'"
    if package in ('mmdet', 'mmpretrain'):
        return f'_base_ = {name!r}'
    return f'_base_ = {os.path.relpath(base, path.absolute().parent)!r}'


def built(cfg: Config, what: str) -> nn.Module:
    """The config's model with random weights; ValueError where that fails."""
    try:
        return build_model(cfg)
    except Exception as error:  # of any part of the model
        raise ValueError(f'{what} does not build: {cause(error)}') from None


def _with_backbone(model: nn.Module) -> Any:
    """The model itself, a tracker's detector, or the student of a semi-supervised one."""
    return getattr(model, 'student', getattr(model, 'detector', model))


def _run(model: Any, base: Path) -> None:
    """Once, on noise: the neck, a segmentor's and a classifier's heads take the new channels."""
    with_head = {'BaseSegmentor', 'BaseClassifier'} & {kind.__name__ for kind in type(model).__mro__}
    noise = random_input(model, (SIDE, SIDE)) if with_head else torch.rand(1, 3, SIDE, SIDE)
    try:
        with torch.inference_mode():
            model(**noise, mode='predict') if with_head else model.extract_feat(noise)
    except Exception as error:  # of any part of the model
        what = f'the neck or head of {base} does not take the new backbone'
        raise ValueError(f'{what}: {cause(error)}') from None
