"""BatchNorm statistics of a converted network, measured anew."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.optim.swa_utils import update_bn

from .conversion import Conversion, KeyUse
from .layouts import COUNTER

STATISTICS = ('.running_mean', '.running_var', f'.{COUNTER}')


def recalibrate(conversion: Conversion, batches: Iterable[Tensor]) -> Conversion:
    """Replace all running means and variances by those of a few images at full depth.

    A ResNet's statistics describe what its own kernels put out; the shared kernel puts out
    something else, and what one iteration changes the next one reads. gamma and beta stay.
    As after weight averaging (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407), it
    is a plain average over the batches.

    Args:
        conversion: Its network is changed in place.
        batches: Images, (B, C, H, W), normalised as in training; a few hundred in all.

    Returns:
        The same, with the checkpoint's statistics accounted for as dropped.
    """
    network = conversion.network
    network.hold_halting(True)
    update_bn(batches, network)
    network.hold_halting(False)
    network.drop_trace()
    uses = [
        KeyUse(use.source, 'dropped', None) if (use.target or '').endswith(STATISTICS) else use
        for use in conversion.uses
    ]
    return conversion._replace(uses=uses)
