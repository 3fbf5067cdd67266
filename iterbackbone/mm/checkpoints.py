"""Checkpoints from wherever mmengine finds one: read without running code, checked for what fits."""

from __future__ import annotations

import colorsys
import io
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine import dist, fileio, runner
from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from ..core.adaptive import AdaptiveModule
from ..core.budgeted import TABLE_KEY
from ..pretrained.index import SCHEME, find_weights
from ..warm_start.safe_loading import (
    flaws,
    listed,
    load_checkpoint,
    misfits,
    read_checkpoint,
    state_dict_of,
)

ADDRESSES: dict[str, Callable[[], Mapping[str, str]]] = {
    'torchvision': runner.get_torchvision_models,
    'modelzoo': runner.get_torchvision_models,
    'open-mmlab': runner.get_external_models,
    'openmmlab': runner.get_external_models,
    'mmcls': runner.get_mmcls_models,
}
NO_LEFTOVERS = re.compile('(?!)')


def load_weights_only(name: str) -> Mapping[str, Any]:
    """The content of a checkpoint, tensors on the CPU.

    The ``name`` is a path, an address, or a model's name as ``'torchvision://resnet50'`` or
    ``'iterbackbone://NAME'``. ValueError where it cannot be read or wants to run code: mmengine
    itself then reads a file again without care, and a download at once.
    """
    if '://' not in name:
        return load_checkpoint(Path(os.path.expanduser(name)))
    if name.startswith(SCHEME):
        return load_from_iterbackbone(name)
    scheme, model = name.split('://', 1)
    address = name
    if scheme in ADDRESSES:
        model = runner.get_deprecated_model_names().get(model, model) if 'mmlab' in scheme else model
        if model not in (known := ADDRESSES[scheme]()):
            raise ValueError(f'checkpoint must be a known model, got {name!r}')
        address = known[model]
    on_web = address.startswith(('http://', 'https://'))
    try:
        content: Any = _downloaded(address) if on_web else io.BytesIO(fileio.get(address))
    except Exception as error:  # of any storage's client
        raise ValueError(f'checkpoint {name} cannot be fetched ({error})') from error
    return load_checkpoint(content) if on_web else read_checkpoint(content, name)


def _downloaded(address: str) -> Path:
    """Where mmengine keeps a download, too. Processes do not wait for each other."""
    path = Path(torch.hub.get_dir(), 'checkpoints', PurePosixPath(urlparse(address).path).name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path), progress=dist.get_rank() == 0)
    return path


@runner.CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_iterbackbone(name: str, map_location: Any = None) -> dict[str, Any]:
    """``iterbackbone://NAME`` wherever mmengine reads a checkpoint; ValueError for no such weights."""
    weights = find_weights(name.removeprefix(SCHEME))
    dataset = dict(classes=tuple(weights.classes), palette=palette(len(weights.classes)))
    return dict(state_dict=weights.read(), meta=dict(dataset_meta=dataset))


def palette(count: int) -> list[list[int]]:
    """Red, green and blue of each class, bright and always the same: mmseg cannot draw without."""
    hues = [colorsys.hsv_to_rgb((0.618034 * i) % 1, 0.8, 1.0) for i in range(count)]  # golden ratio
    return [[round(255 * part) for part in hue] for hue in hues]


def is_pretrained(config: dict) -> bool:
    """Whether an ``init_cfg`` loads a checkpoint."""
    kind = config.get('type')
    return (WEIGHT_INITIALIZERS.get(kind) if isinstance(kind, str) else kind) is PretrainedInit


def separated(init_cfg: dict | list | None) -> tuple[list[dict], list[dict]]:
    """The configs of an ``init_cfg`` that load a checkpoint, and the others.

    TypeError for no dict or list of dicts; ValueError where an ``override`` loads one.
    """
    configs = [init_cfg] if isinstance(init_cfg, dict) else init_cfg or []
    if not all(isinstance(config, dict) for config in configs):
        raise TypeError(f'init_cfg must be a dict or a list of dicts, got {init_cfg!r}')
    for config in configs:
        override = config.get('override') or []
        if any(map(is_pretrained, [override] if isinstance(override, dict) else override)):
            raise ValueError(f'override must not load a checkpoint, got init_cfg {config}')
    pretrained = [config for config in configs if is_pretrained(config)]
    return pretrained, [config for config in configs if not is_pretrained(config)]


def pretrained_weights(
    module: nn.Module, config: dict, leftovers: re.Pattern[str]
) -> dict[str, Tensor]:
    """The state dict that a pretrained ``init_cfg`` brings, with every key accounted for.

    mmengine would only log what does not match. The prefix of ``iterbackbone://NAME`` is
    ``'backbone.'`` by default; ``leftovers`` matches keys that the checkpoint may have and the module
    may not. ValueError names all others that do not fit, or as :func:`load_weights_only`.
    """
    source = PretrainedInit(**{key: value for key, value in config.items() if key != 'type'})
    name, prefix = str(source.checkpoint), source.prefix
    if prefix is None and name.startswith(SCHEME):
        prefix = 'backbone.'  # of a whole model, as all that is shipped
    state = state_dict_of(load_weights_only(name), name)
    found = _below(state, prefix)
    if problems := misfit(module, found, leftovers):
        others = [x for x in (None, 'backbone.') if not misfit(module, _below(state, x), leftovers)]
        hint = f'; with prefix {others[0]!r} it fits' if others else ''
        kind = type(module).__name__
        raise ValueError(
            f'checkpoint {name!r} with prefix {prefix!r} does not fit {kind}: {problems}{hint}'
        )
    return {key: value for key, value in found.items() if not leftovers.match(key)}


def weights_for(model: nn.Module, content: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """The weights of a whole model in a checkpoint's content; ValueError for another model."""
    found = _below(state_dict_of(content, name), None)
    if problems := misfit(model, found, NO_LEFTOVERS):
        raise ValueError(f'checkpoint {name} does not fit the config: {problems}')
    return found


def misfit(module: nn.Module, found: Mapping[str, Any], leftovers: re.Pattern[str]) -> str:
    """What is wrong with values by their keys in the module; empty if every key is accounted for."""
    # The table of a fit may be there or not.
    names = (
        name
        for name, part in module.named_modules(remove_duplicate=False)
        if isinstance(part, AdaptiveModule)
    )
    tables = {f'{name}.{TABLE_KEY}'.lstrip('.') for name in names}
    expected = {key: x for key, x in module.state_dict().items() if key not in tables}
    others = found.keys() - expected.keys() - tables
    unexpected = [key for key in found if key in others and not leftovers.match(key)]
    problems = misfits(found, {key: tensor.shape for key, tensor in expected.items()}, unexpected)
    problems['no weights'] = flaws(found, {key: tensor.dtype for key, tensor in expected.items()})
    return listed(problems)


def _below(state_dict: dict[str, Any], prefix: str | None) -> dict[str, Any]:
    prefix = f'{prefix.rstrip(".")}.' if prefix else ''
    plain = {re.sub(r'^module\.', '', key): tensor for key, tensor in state_dict.items()}
    return {key[len(prefix) :]: tensor for key, tensor in plain.items() if key.startswith(prefix)}
