"""Models by name, in timm's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Any

from torch import Tensor, nn

from ..core.resnet import DEPTHS, IterativeResNet
from ..core.validation import check_bool, check_int, check_int_tuple
from ..text import nearest
from .classifier import IterativeClassifier, TimmEntry
from .index import Weights, all_weights, find_weights, named_weights

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


def list_models(filter: str = '*', pretrained: bool = False) -> list[str]:
    """Names for :func:`create_model`.

    Args:
        filter: Shell-like pattern.
        pretrained: Only what has weights, as ``NETWORK.TAG``.

    What begins with a network of timm is named where timm is installed.
    """
    usable = find_spec('timm') is not None
    known = {k: x for k, x in all_weights().items() if usable or 'entry' not in x.architecture}
    names = {*known} if pretrained else {*VARIANTS, *(each.network for each in known.values())}
    return sorted(name for name in names if fnmatchcase(name, filter))


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
    """A network by its name.

    Args:
        name: One of :func:`list_models`.
        pretrained: Start from the weights of that name.
        features_only: The backbone alone, which returns a tuple of feature maps.
        in_chans: Channels of the images, by default those of the weights, or 3. Weights for three
            are adapted as in timm.
        out_indices: With ``features_only``: stages to return, ascending from 0; later ones are
            left out. All by default.
        num_classes: Of a linear layer on the pooled features; 0 for none. By default that of the
            weights, or 1000 without any. A layer of another number than theirs is a new one.
        kwargs: Arguments of :class:`~iterbackbone.IterativeResNet`, over those of the name.

    Returns:
        The network in training mode, as in timm, with ``feature_info`` and ``pretrained_cfg``.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed; the weights are
            missing or damaged.
    """
    weights = _weights_of(name, check_bool('pretrained', pretrained))
    options = {**(weights.architecture if weights else VARIANTS[name]), **kwargs}
    stages = options.get('num_stages', 4)
    if not check_bool('features_only', features_only):
        if out_indices is not None:
            raise ValueError(f'out_indices must be None without features_only, got {out_indices}')
        out_indices = (stages - 1,)
    elif out_indices is not None:
        stages = _stages_for(out_indices, stages)
    options = {**_of_stages(options, stages), 'out_indices': out_indices}
    if in_chans is not None:
        options['in_channels'] = check_int('in_chans', in_chans, 1)
    if isinstance(options.get('entry'), Mapping):
        options['entry'] = TimmEntry(options['entry'], options.get('in_channels', 3))
    backbone = IterativeResNet(**options)
    backbone.pretrained_cfg = weights.pretrained_cfg if weights and pretrained else {}
    state = weights.read() if weights and pretrained else {}
    if state:
        _load(backbone, _below('backbone.', state), f'{name} with {kwargs}')
    if features_only:
        return backbone
    classes = _default_classes(weights) if num_classes is None else num_classes
    model = IterativeClassifier(backbone, classes)
    head = _below('head.fc.', state)
    if head and head['weight'].shape == (classes, model.num_features):
        model.get_classifier().load_state_dict(head)
    return model


def _weights_of(name: str, needed: bool) -> Weights | None:
    """None for one of the paper's networks without weights, where they are not needed."""
    named = named_weights()
    if needed or name in named:
        return find_weights(name)
    if name not in VARIANTS:
        near = nearest(name, [*VARIANTS, *named])
        raise ValueError(f'name must be one of list_models(), got {name!r}{near}')
    return None


def _stages_for(out_indices: Sequence[int], stages: int) -> int:
    """How many of the stages the outputs need."""
    allowed = f'out_indices must be ascending stages between 0 and {stages - 1}'
    if not isinstance(out_indices, Sequence) or not out_indices:
        raise ValueError(f'{allowed}, got {out_indices!r}')
    last = max(check_int_tuple('out_indices', out_indices, len(out_indices), 0))
    if last >= stages:
        raise ValueError(f'{allowed}, got {out_indices}')
    return last + 1


def _of_stages(options: Mapping[str, Any], stages: int) -> dict[str, Any]:
    """The arguments for the first stages alone."""
    whole = options.get('num_stages', 4)
    if stages == whole:
        return dict(options)
    given = {key: options[key] for key in PER_STAGE if options.get(key) is not None}
    cut = {key: check_int_tuple(key, value, whole, 1)[:stages] for key, value in given.items()}
    return {**options, **cut, 'num_stages': stages}


def _default_classes(weights: Weights | None) -> int:
    if weights is None:
        return 1000
    return len(weights.classes) if weights.task == 'classification' else 0


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): x for key, x in state.items() if key.startswith(prefix)}


def _load(backbone: IterativeResNet, state: dict[str, Tensor], source: str) -> None:
    """Load what is of the backbone's stages, its first kernel adapted to the images' channels."""
    later = tuple(f'stages.{k}.' for k in range(len(backbone.stages), 4))
    state = {key: x for key, x in state.items() if not key.startswith(later)}
    name, conv = next((n, m) for n, m in backbone.named_modules() if isinstance(m, nn.Conv2d))
    if (key := f'{name}.weight') in state:
        state[key] = adapted(state[key], conv.in_channels)
    try:
        backbone.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'the arguments must fit the weights, got {source}: {error}') from None


def adapted(weight: Tensor, channels: int) -> Tensor:
    """A kernel (N, 3, k, k) as one (N, channels, k, k), in the way of timm's ``adapt_input_conv``.

    One channel: the sum over the three. More: the three repeated, and scaled by 3 / channels; where
    channels are a multiple of 3, an image of equal channels gives the same output.

    Raises:
        ValueError: the kernel is not for three channels.
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
