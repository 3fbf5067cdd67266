"""What the new config changes in its base."""

from __future__ import annotations

from pprint import pformat
from typing import Any

from mmengine.config import Config

from .pyramid import Pyramid

HEADS = ('decode_head', 'auxiliary_head', 'head', 'bbox_head', 'rpn_head', 'panoptic_head')
CHANNELS = {'in_channels': -1, 'c1_in_channels': 0}  # the level that a single number is of
SHARED = ('norm_cfg', 'with_cp')  # arguments that both backbones have
NORMS = ('BN', 'BN2d', 'SyncBN', 'MMSyncBN', 'GN', 'IN', 'IN2d')  # of maps
OURS = 'iterbackbone.LearningRateDecayOptimizerConstructor'
LAYER_WISE = ('LearningRateDecayOptimizerConstructor', 'LayerDecayOptimizerConstructor')
HOOKS = """default_hooks = dict(  # joins the base's hooks; custom_hooks would replace the base's
    anytime=dict(type='iterbackbone.AnytimeHook'),
    iteration_log=dict(type='iterbackbone.IterationLogHook'),
)
"""


def base_model(cfg: Config) -> Any:
    """The model with the backbone: a tracker's or semi-supervised detector lies one level down."""
    return cfg.model.get('detector') or cfg.model


def changed_parts(model: Any, pyramid: Pyramid) -> dict[str, Any]:
    """New channels of the first parts that take the backbone's; ``pretrained`` goes."""
    neck_takes = any(c in part for part in _parts(model.get('neck')) for c in CHANNELS)
    names = ('neck',) if neck_takes else HEADS
    changed = {name: _changed(model.get(name), pyramid) for name in names}
    pretrained = {'pretrained': None} if isinstance(model.get('pretrained'), str) else {}
    return {**{name: part for name, part in changed.items() if part}, **pretrained}


def config_text(base: str, cfg: Config, pyramid: Pyramid, changed: dict[str, Any]) -> str:
    """The config to write: the line of its base, backbone, what :func:`changed_parts` found, hooks."""
    taken = shared_arguments(base_model(cfg).backbone)
    options = ''.join(f'        {k}={v!r},\n' for k, v in {**pyramid.options, **taken}.items())
    parts = ''.join(f'    {name}={pformat(part, width=88)},\n' for name, part in changed.items())
    text = (
        f'{base}\n\nmodel = dict(\n    backbone=dict(\n'
        '        _delete_=True,  # or arguments of the old backbone would stay\n'
        f"        type='iterbackbone.IterativeResNet',\n{options}    ),\n{parts})\n"
    )
    if 'detector' in cfg.model:
        text += 'model = dict(detector=model)\n'
    text += HOOKS
    constructor = str((cfg.get('optim_wrapper') or {}).get('constructor'))
    if cfg.get('default_scope') != 'mmpretrain' and constructor.endswith(LAYER_WISE):
        text += f'optim_wrapper = dict(constructor={OURS!r})\n'
    return text


def shared_arguments(backbone: Any) -> dict[str, Any]:
    """What the new backbone takes over: no norm of another layout, none that is frozen at random."""
    taken = {k: v for k, v in backbone.items() if k in SHARED}
    norm = taken.pop('norm_cfg', None) or {}
    if norm.get('type') in NORMS:
        taken['norm_cfg'] = {k: v for k, v in norm.items() if (k, v) != ('requires_grad', False)}
    return taken


def _parts(part: Any) -> list[Any]:
    return [p for p in (part if isinstance(part, list) else [part]) if isinstance(p, dict)]


def _changed(part: Any, pyramid: Pyramid) -> Any:
    """A dict's changed keys, which mmengine merges; a list whole, which it replaces."""
    if isinstance(part, list):
        wholes = [{**p, **_changed(p, pyramid)} for p in _parts(part)]
        return wholes if wholes != part else None
    if not isinstance(part, dict):
        return None
    mapped = {key: _mapped(key, part, pyramid) for key in CHANNELS if key in part}
    return {key: new for key, new in mapped.items() if new is not None}


def _mapped(key: str, part: dict[str, Any], pyramid: Pyramid) -> Any:
    """New channels of the backbone's outputs that a part takes; None where nothing changes."""
    value, several = part[key], isinstance(part[key], (list, tuple))
    taken = range(len(pyramid.channels)) if several else CHANNELS[key]
    if key == 'in_channels':
        taken = part.get('in_index', taken)  # mmseg's
    values, levels = (list(value), list(taken)) if several else ([value], [taken])
    for order in (levels, levels[::-1]):  # YOLOv3's neck begins with the last
        old, new = ([c[k] for k in order] for c in (pyramid.channels, pyramid.new_channels))
        if old == values != new:
            return new if several else new[0]
    return None
