"""Checks a pretrained checkpoint before mmengine loads it leniently."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.model import PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from ..core.budgeted import TABLE_KEY
from ..warm_start.layouts import COUNTER
from ..warm_start.safe_loading import load_checkpoint
from .weights_only_loading import openmmlab_weights_only

SHOWN = 4  # keys listed in a message
STEM = 'stem.conv.weight'
STEM_NAMES = {3: "CIFAR stem (3x3, stem='cifar')", 7: "ImageNet stem (7x7, stem='imagenet')"}


def is_pretrained(config: dict) -> bool:
    """Whether an ``init_cfg`` loads a checkpoint."""
    return config.get('type') in ('Pretrained', PretrainedInit)


def check_pretrained(module: nn.Module, config: dict, leftovers: re.Pattern[str]) -> None:
    """Account for every key of the checkpoint of a pretrained ``init_cfg``.

    Args:
        module: What will be initialised.
        config: ``dict(type='Pretrained', checkpoint=..., prefix=..., map_location=...)``.
        leftovers: Matches keys that the checkpoint may have and the module may not.

    Raises:
        ValueError: naming keys that are missing, unexpected or of another shape; the checkpoint
            cannot be read or wants to run code.
    """
    name, prefix = config['checkpoint'], config.get('prefix')
    checkpoint = _load(name)
    found = _below(checkpoint.get('state_dict', checkpoint), prefix)
    problems = misfit(module, found, leftovers)
    if problems:
        kind = type(module).__name__
        raise ValueError(f'checkpoint {name!r} with prefix {prefix!r} does not fit {kind}: {problems}')


def misfit(module: nn.Module, found: Mapping[str, Tensor], leftovers: re.Pattern[str]) -> str:
    """What is wrong with a checkpoint for a module; empty if every key is accounted for.

    Args:
        module: What will be initialised.
        found: The checkpoint's tensors, by their keys in the module.
        leftovers: As in :func:`check_pretrained`.
    """
    expected = {key: x for key, x in module.state_dict().items() if key != TABLE_KEY}
    known = {*expected, TABLE_KEY}  # of fitted halting, with it or not
    unexpected = [key for key in found if key not in known and not leftovers.match(key)]
    missing = [key for key in expected if key not in found and not key.endswith(COUNTER)]
    shapes = [
        f'{key} {tuple(found[key].shape)} instead of {tuple(tensor.shape)}'
        for key, tensor in expected.items()
        if key in found and found[key].shape != tensor.shape
    ]
    problems = {'missing': missing, 'unexpected': unexpected, 'of another shape': shapes}
    listed = [f'{len(k)} {what}: {_first(k)}' for what, k in problems.items() if k]
    return '; '.join([*_other_stem(found, expected), *listed])


def _other_stem(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Iterator[str]:
    """A sentence where one stem is for small images and the other is not."""
    if STEM in found and STEM in expected:
        theirs, ours = (STEM_NAMES.get(state[STEM].shape[-1]) for state in (found, expected))
        if theirs and ours and theirs != ours:
            yield f'it has the {theirs}, the network the {ours}'


def _load(name: str) -> Mapping[str, Any]:
    if '://' not in name:
        return load_checkpoint(Path(name).expanduser())
    with openmmlab_weights_only(name):
        return CheckpointLoader.load_checkpoint(name, map_location='cpu')


def _below(state_dict: dict[str, Tensor], prefix: str | None) -> dict[str, Tensor]:
    prefix = f'{prefix.rstrip(".")}.' if prefix else ''
    plain = {re.sub(r'^module\.', '', key): tensor for key, tensor in state_dict.items()}
    return {key[len(prefix) :]: tensor for key, tensor in plain.items() if key.startswith(prefix)}


def _first(keys: Iterable[str]) -> str:
    keys = list(keys)
    return ', '.join(keys[:SHOWN]) + (', ...' if len(keys) > SHOWN else '')
