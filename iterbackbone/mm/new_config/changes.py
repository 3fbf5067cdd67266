"""What the new config changes in its base: the backbone, and the parts that take its channels."""

from __future__ import annotations

import math
from pprint import pformat
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor, nn

from ...core.adaptive import AdaptiveModule
from ...core.resnet import DEPTHS

RESNET = ('stage_blocks', 'strides', 'dilations', 'out_indices')
USUAL = {'strides': (1, 2, 2, 2), 'dilations': (1, 1, 1, 1)}
STRIDES = {4: 0, 8: 1, 16: 2, 32: 3}
WIDTH = 64  # of the stem, as in every ResNet
SIDE = 224  # pixels of the image that a backbone runs on
HEADS = ('decode_head', 'auxiliary_head', 'head', 'bbox_head', 'rpn_head', 'panoptic_head')
CHANNELS = {'in_channels': -1, 'c1_in_channels': 0}  # the level that a single number is of
NORMS = ('BN', 'BN2d', 'SyncBN', 'MMSyncBN', 'GN', 'IN', 'IN2d')  # of maps
OURS = 'iterbackbone.LearningRateDecayOptimizerConstructor'
LAYER_WISE = ('LearningRateDecayOptimizerConstructor', 'LayerDecayOptimizerConstructor')
HOOKS = """default_hooks = dict(  # joins the base's hooks; custom_hooks would replace the base's
    anytime=dict(type='iterbackbone.AnytimeHook'),
    iteration_log=dict(type='iterbackbone.IterationLogHook'),
)
"""


class Pyramid(NamedTuple):
    """A backbone's outputs, as an IterativeResNet can give them."""

    name: str  # of the backbone's class
    channels: tuple[int, ...]  # of its outputs, before
    new_channels: tuple[int, ...]  # of the IterativeResNet's
    options: dict[str, Any]  # arguments of the IterativeResNet

    @classmethod
    def of(cls, backbone: nn.Module) -> Pyramid:
        """Of a ResNet, or any backbone with maps at strides 4 to 32; ValueError for others."""
        name = type(backbone).__name__
        if isinstance(backbone, AdaptiveModule):
            raise ValueError(f'its backbone is {name} already')
        outputs = _outputs(backbone)
        strides = [SIDE // x.shape[-1] for x in outputs]
        if all(hasattr(backbone, each) for each in RESNET):
            out_indices = tuple(backbone.out_indices)
            options = _resnet_options(backbone, out_indices, strides[0])
        else:
            out_indices, options = _levels(name, strides), {'depth': 50}
        options['out_indices'] = out_indices
        if out_indices[-1] < 3:  # stages that no output needs would not be trained
            options['num_stages'] = out_indices[-1] + 1
        channels = tuple(x.shape[1] for x in outputs)
        firsts = {c / 2**k for c, k in zip(channels, out_indices, strict=True)}
        # The expansion at which the channels stay, else the paper's.
        expansion = next((e for e in (1, 2, 3) if firsts == {WIDTH * e}), 4)
        options = {'base_channels': WIDTH, 'expansion': expansion, **options}
        new = tuple(WIDTH * expansion * 2**k for k in out_indices)
        return cls(name, channels, new, options)


def _outputs(backbone: nn.Module) -> list[Tensor]:
    """(1, C, H, W) each, of one image of noise."""
    name = type(backbone).__name__
    backbone.eval()
    try:
        with torch.inference_mode():
            outputs = backbone(torch.rand(1, 3, SIDE, SIDE))
    except Exception as error:  # a backbone of another kind may raise anything
        raise _refused(name, f'it does not run on an image ({error!r})') from None
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if not all(isinstance(x, Tensor) and x.ndim == 4 for x in outputs):
        raise _refused(name, 'its outputs are not all (B, C, H, W)')
    return outputs


def _resnet_options(backbone: Any, outputs: tuple[int, ...], stride: int) -> dict[str, Any]:
    """Stem, depth and strides of any kind of ResNet; its first output has ``stride``."""
    stages = outputs[-1] + 1
    blocks = tuple(backbone.stage_blocks)[:stages]
    depth = next((d for d, each in DEPTHS.items() if each[:stages] == blocks), None)
    options: dict[str, Any] = {'depth': depth} if depth else {'max_iterations': blocks}
    if 'CIFAR' in type(backbone).__name__:
        options['stem'] = 'cifar'
    strides = tuple(backbone.strides)[1:stages]
    behind = math.prod(strides[: outputs[0]]) * (1 if 'stem' in options else 4)
    strides = (stride // behind, *strides)  # RegNet's stem has no pooling, its first stage strides
    for name, values in (('strides', strides), ('dilations', tuple(backbone.dilations)[:stages])):
        if values != USUAL[name][:stages]:
            options[name] = values
    return options


def _levels(name: str, strides: list[int]) -> tuple[int, ...]:
    """The stages of an IterativeResNet whose outputs have these strides."""
    levels = tuple(STRIDES.get(stride, -1) for stride in strides)
    if -1 in levels or levels != tuple(sorted(set(levels))) or levels == (2,):
        raise _refused(name, f'its outputs have strides {", ".join(map(str, strides))}')
    return levels


def _refused(name: str, reason: str) -> ValueError:
    return ValueError(
        f'IterativeResNet cannot replace {name}, which is no ResNet-like pyramid: {reason}'
    )


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
    taken = {'with_cp': backbone['with_cp']} if 'with_cp' in backbone else {}
    norm = backbone.get('norm_cfg') or {}
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
