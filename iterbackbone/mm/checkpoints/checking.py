"""Checks that a checkpoint fits a module, key by key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from ...core.budgeted import TABLE_KEY, BudgetedModule
from ...pretrained.index import SCHEME
from ...warm_start.safe_loading import flaws, listed, misfits, state_dict_of
from .loading import load_weights_only

NO_LEFTOVERS = re.compile('(?!)')
STEM = 'stem.conv.weight'
STEM_NAMES = {3: "CIFAR stem (3x3, stem='cifar')", 7: "ImageNet stem (7x7, stem='imagenet')"}


def is_pretrained(config: dict) -> bool:
    """Whether an ``init_cfg`` loads a checkpoint."""
    kind = config.get('type')
    return (WEIGHT_INITIALIZERS.get(kind) if isinstance(kind, str) else kind) is PretrainedInit


def separated(init_cfg: dict | list | None) -> tuple[list[dict], list[dict]]:
    """The configs of an ``init_cfg`` that load a checkpoint, and the others.

    Raises:
        TypeError: it is no dict and no list of dicts.
        ValueError: a part of the module shall be loaded on its own, by an ``override``.
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

    mmengine would only log what does not match, and run what a file brings along.

    Args:
        module: What will be initialised.
        config: ``dict(type='Pretrained', checkpoint=..., prefix=..., map_location=...)``. The
            prefix of ``iterbackbone://NAME`` is ``'backbone.'`` by default.
        leftovers: Matches keys that the checkpoint may have and the module may not.

    Raises:
        TypeError: ``config`` has unknown keys.
        ValueError: naming keys that are missing, unexpected, of another shape or no weights; the
            checkpoint cannot be read or wants to run code.
    """
    source = PretrainedInit(**{key: value for key, value in config.items() if key != 'type'})
    name, prefix = str(source.checkpoint), source.prefix
    if prefix is None and name.startswith(SCHEME):
        prefix = 'backbone.'  # of a whole model, as all that is shipped
    state = state_dict_of(load_weights_only(name), name)
    found = _below(state, prefix)
    problems = misfit(module, found, leftovers)
    if problems:
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
    """What is wrong with a checkpoint for a module; empty if every key is accounted for.

    ``found`` has the checkpoint's values by their keys in the module; ``leftovers`` as in
    :func:`pretrained_weights`.
    """
    parts = (name for name, part in module.named_modules() if isinstance(part, BudgetedModule))
    tables = {f'{n}.{TABLE_KEY}' if n else TABLE_KEY for n in parts}  # each may be there or not
    expected = {key: x for key, x in module.state_dict().items() if key not in tables}
    known = {*expected, *tables}
    unexpected = [key for key in found if key not in known and not leftovers.match(key)]
    problems = misfits(found, {key: tensor.shape for key, tensor in expected.items()}, unexpected)
    problems['no weights'] = flaws(found, {key: tensor.dtype for key, tensor in expected.items()})
    return '; '.join(filter(None, [*_other_stem(found, expected), listed(problems)]))


def _other_stem(found: Mapping[str, Any], expected: Mapping[str, Tensor]) -> Iterator[str]:
    """A sentence where one stem is for small images and the other is not."""
    stems = [state.get(STEM) for state in (found, expected)]
    if all(isinstance(stem, Tensor) and stem.dim() for stem in stems):
        theirs, ours = (STEM_NAMES.get(stem.shape[-1]) for stem in stems)
        if theirs and ours and theirs != ours:
            yield f'it has the {theirs}, the network the {ours}'


def _below(state_dict: dict[str, Any], prefix: str | None) -> dict[str, Any]:
    prefix = f'{prefix.rstrip(".")}.' if prefix else ''
    plain = {re.sub(r'^module\.', '', key): tensor for key, tensor in state_dict.items()}
    return {key[len(prefix) :]: tensor for key, tensor in plain.items() if key.startswith(prefix)}
