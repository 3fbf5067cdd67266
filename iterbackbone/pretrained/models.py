"""Models by name, in timm's words."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from textwrap import shorten
from typing import Any

from torch import Tensor, nn

from ..core.budgeted import TABLE_KEY
from ..core.entry import Entry
from ..core.resnet import DEPTHS, IterativeResNet
from ..core.validation import ascending_stages, check_bool, check_int, check_int_tuple
from ..text import nearest
from .classifier import IterativeClassifier
from .index import Weights, all_weights, named_weights

KINDS: dict[str, dict[str, Any]] = {
    '': {},
    '_small': {'expansion': 2},
    '_double': {'blocks_per_stage': 2},
    '_dw': {'depthwise': True},
}
VARIANTS: dict[str, dict[str, Any]] = {  # the paper's
    f'iterative_resnet{depth}{kind}': {'depth': depth, **options}
    for depth in DEPTHS
    for kind, options in KINDS.items()
}
PER_STAGE = ('max_iterations', 'strides', 'dilations')
OF_ITERATIONS = re.compile(r'stages\.\d\.blocks\.\d+\.(halting|.*norm\d?\.\d+)\.')  # keys


def list_models(filter: str = '*', pretrained: bool = False) -> list[str]:
    """Names for :func:`create_model`, of what begins with a network of timm where that is installed.

    Args:
        filter: Shell-like pattern; without a dot it holds for any tag.
        pretrained: Only what has weights, as ``NETWORK.TAG``.
    """
    usable = find_spec('timm') is not None
    known = {k: x for k, x in all_weights().items() if usable or 'entry' not in x.architecture}
    names = {*known} if pretrained else {*VARIANTS, *(each.network for each in known.values())}
    patterns = (filter,) if '.' in filter else (filter, f'{filter}.*')
    return sorted(name for name in names if any(fnmatchcase(name, each) for each in patterns))


def create_model(
    name: str,
    pretrained: bool = False,
    *,
    features_only: bool = False,
    in_chans: int | None = None,
    out_indices: Sequence[int] | None = None,
    num_classes: int | None = None,
    **kwargs: Any,
) -> IterativeResNet | IterativeClassifier:
    """A network by its name; ValueError where the weights are missing or damaged.

    Args:
        name: One of :func:`list_models`.
        pretrained: Start from the weights of that name.
        features_only: The backbone alone, which returns a tuple of feature maps.
        in_chans: Channels of the images, by default those of the weights, or 3. Weights for three
            are adapted as in timm.
        out_indices: With ``features_only``: stages to return, ascending from 0, negative ones from
            the last; later ones are left out. All by default.
        num_classes: Of a linear layer on the pooled features; 0 for none. By default that of the
            weights, or 1000 without any. A layer of another number than theirs is a new one.
        kwargs: Arguments of :class:`~iterbackbone.IterativeResNet`, over those of the name. An
            ``entry`` is what timm builds of a dict; without a ``frozen`` in it, it is frozen where
            it gets weights for as many channels. With fewer ``max_iterations`` than the weights
            have, the first ones' norms are loaded.

    Returns:
        The network in training mode, as in timm, with ``feature_info`` and ``pretrained_cfg``.
    """
    weights = _weights_of(name, check_bool('pretrained', pretrained))
    start = weights if pretrained else None
    options = {**(weights.architecture if weights else VARIANTS[name]), **kwargs}
    stages = check_int('num_stages', options.get('num_stages', 4), 1, 4)
    if not check_bool('features_only', features_only):
        if out_indices is not None:
            raise ValueError(f'out_indices must be None without features_only, got {out_indices}')
        out_indices = (stages - 1,)
    elif out_indices is not None:
        out_indices = ascending_stages(out_indices, stages, -stages)
        stages = out_indices[-1] + 1
    options = {**_of_stages(options, stages), 'out_indices': out_indices}
    if in_chans is not None:
        options['in_channels'] = check_int('in_chans', in_chans, 1)
    if isinstance(options.get('entry'), Mapping):
        trained = start.architecture.get('in_channels', 3) if start else None
        options['entry'] = _timm_entry(options['entry'], options.get('in_channels', 3), trained)
    backbone = IterativeResNet(**options)
    backbone.pretrained_cfg = start.pretrained_cfg if start else {}
    state = start.read() if start else {}
    if start:
        _load(backbone, _below('backbone.', state), f'{name} with {kwargs}')
    if features_only:
        return backbone
    if num_classes is None:
        num_classes = 1000
        if weights:
            num_classes = len(weights.classes) if weights.task == 'classification' else 0
    model = IterativeClassifier(backbone, num_classes)
    head = _below('head.fc.', state)
    if head and head['weight'].shape == (num_classes, model.num_features):
        model.get_classifier().load_state_dict(head)
    return model


def _weights_of(name: str, needed: bool) -> Weights | None:
    """None for one of the paper's networks without weights, where they are not needed."""
    named = named_weights()
    if name not in named and name not in VARIANTS:
        near = nearest(name, [*VARIANTS, *named])
        raise ValueError(f'name must be one of list_models(), got {name!r}{near}')
    if needed and name not in named:
        raise ValueError(
            f'pretrained must be False for {name}, which has no weights; '
            f'list_models(pretrained=True) has {sorted(all_weights())}'
        )
    return named.get(name)


def _of_stages(options: Mapping[str, Any], stages: int) -> dict[str, Any]:
    """The arguments for the first stages alone."""
    whole = options.get('num_stages', 4)
    given = {key: options[key] for key in PER_STAGE if options.get(key) is not None}
    cut = {key: check_int_tuple(key, value, whole, 1)[:stages] for key, value in given.items()}
    return {**options, **cut, 'num_stages': stages}


def _timm_entry(options: Mapping[str, Any], channels: int, trained: int | None) -> Entry:
    """What timm builds of ``options`` for images of ``channels``, frozen as their ``frozen`` says.

    By default it is frozen where it gets weights for as many channels, ``trained``.
    """
    import timm  # which other networks do without

    options = dict(options)
    frozen = options.pop('frozen', channels == trained)
    network = timm.create_model(**options, in_chans=channels, features_only=True, pretrained=False)
    # The name in the keys is that of mmseg's ``TIMMBackbone``, which stands in a config.
    return Entry(nn.Sequential(OrderedDict(timm_model=network)), channels, frozen)


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): x for key, x in state.items() if key.startswith(prefix)}


def _load(backbone: IterativeResNet, state: dict[str, Tensor], source: str) -> None:
    """Load what is of the backbone's stages and iterations, the first kernel adapted to the images."""
    later = tuple(f'stages.{k}.' for k in range(len(backbone.stages), 4))
    state = {key: x for key, x in state.items() if not key.startswith(later)}
    own = backbone.state_dict().keys()
    if surplus := [key for key in state if key not in own and OF_ITERATIONS.match(key)]:
        for key in (*surplus, TABLE_KEY):  # its shares are of more iterations
            state.pop(key, None)
    name, conv = next((n, m) for n, m in backbone.named_modules() if isinstance(m, nn.Conv2d))
    if (key := f'{name}.weight') in state:
        state[key] = adapted(state[key], conv.in_channels)
    try:
        backbone.load_state_dict(state)
    except RuntimeError as error:
        reason = shorten(str(error), 300)
        raise ValueError(f'the arguments must fit the weights, got {source}: {reason}') from None


def adapted(weight: Tensor, channels: int) -> Tensor:
    """A kernel (N, 3, k, k) as one (N, channels, k, k), in the way of timm's ``adapt_input_conv``.

    One channel: the sum over the three. More: the three repeated, and scaled by 3 / channels.
    """
    theirs = weight.shape[1]
    if channels == theirs:
        return weight
    if theirs != 3:
        raise ValueError(
            f'in_chans must be {theirs} with weights for {theirs} channels, got {channels}'
        )
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    return weight.repeat(1, -(-channels // 3), 1, 1)[:, :channels] * (3 / channels)
