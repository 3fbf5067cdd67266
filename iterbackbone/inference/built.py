"""What a part of the network is made of, and whether its inference form knows all of that."""

from __future__ import annotations

from itertools import islice

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..core.block import DepthwiseSeparableConv, IterativeBlock
from ..core.halting import HaltingUnit, ScoreLayer
from ..core.stage import ConvNorm

CALLS = (_BatchNorm, nn.SyncBatchNorm, nn.Conv2d, DepthwiseSeparableConv, HaltingUnit, ScoreLayer)
Part = ConvNorm | IterativeBlock
KNOWN = frozenset(kind.forward for kind in CALLS)


def norms_of(part: Part, limit: int | None = None) -> list[nn.Module]:
    """Those of the first ``limit`` iterations, sorted by convolution."""
    if isinstance(part, ConvNorm):
        return [part.norm]
    return [norm for _, norms in part.layers() for norm in islice(norms, limit)]


def only_built_in(part: Part) -> bool:
    """Whether nothing was added to or exchanged in ``part`` since it was built.

    Forward hooks (those of pruning among them), other classes or ``forward`` methods, and
    convolutions with a bias or another padding change what a call does. Parametrizations do not:
    both forms read the weight. Looked at in every call, so that later changes count too.
    """
    others = norms_of(part)
    if isinstance(part, ConvNorm):
        convs: list[nn.Module] = [part.conv]
    else:
        convs = [conv for conv, _ in part.layers()]
        unit = part.halting
        others += [part.conv2, *([] if unit is None else (unit, unit.fc1, unit.fc2))]
    changed = any(
        module._forward_hooks
        or module._forward_pre_hooks
        or 'forward' in module.__dict__
        or type(module).forward not in KNOWN
        for module in [*convs, *others]
    )
    return not changed and all(conv.bias is None and conv.padding_mode == 'zeros' for conv in convs)
