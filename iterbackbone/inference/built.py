"""Parts whose call does more than their inference form knows: they run as they were built."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..core.block import DepthwiseSeparableConv, IterativeBlock
from ..core.halting import HaltingUnit, ScoreLayer
from ..core.stage import ConvNorm

CALLS = (_BatchNorm, nn.SyncBatchNorm, nn.Conv2d, DepthwiseSeparableConv, HaltingUnit, ScoreLayer)
KNOWN = frozenset(kind.forward for kind in CALLS)


def only_built_in(part: ConvNorm | IterativeBlock) -> bool:
    """Whether nothing was added to or exchanged in ``part`` since it was built.

    Forward hooks (those of pruning among them), other classes or ``forward`` methods, and
    convolutions with a bias or another padding change what a call does. Parametrizations do not:
    both forms read the weight. Looked at in every call, so that later changes count too.
    """
    if isinstance(part, ConvNorm):
        return _all_known((part.conv, part.norm)) and _is_product(part.conv)
    conv2 = part.conv2
    inner = (
        (conv2.depthwise, conv2.pointwise) if isinstance(conv2, DepthwiseSeparableConv) else (conv2,)
    )
    convs = (part.conv1, *inner, part.conv3)
    between = conv2.norm if isinstance(conv2, DepthwiseSeparableConv) else ()
    unit = part.halting
    halting = () if unit is None else (unit, unit.fc1, unit.fc2)
    parts = (*convs, conv2, *part.norm1, *between, *part.norm2, *part.norm3, *halting)
    return _all_known(parts) and all(map(_is_product, convs))


def _all_known(modules: Iterable[nn.Module]) -> bool:
    return not any(
        module._forward_hooks
        or module._forward_pre_hooks
        or 'forward' in module.__dict__
        or type(module).forward not in KNOWN
        for module in modules
    )


def _is_product(conv: nn.Module) -> bool:
    return conv.bias is None and conv.padding_mode == 'zeros'
