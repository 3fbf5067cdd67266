"""What a network would do in evaluation, asked in the middle of its training."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from .adaptive import AdaptiveModule
from .trace import HaltingTrace


@torch.no_grad()
def trace_in_evaluation(module: AdaptiveModule, *args: Any, **kwargs: Any) -> HaltingTrace:
    """The trace that ``module`` would leave for a call with these arguments in evaluation mode.

    Runs it without its forward hooks and without gradients. Modes, running statistics and the
    trace of the last call stay as they are. A budget counts, as in any evaluation.
    """
    modes = {part: part.training for part in module.modules()}
    last = module._last
    kept = last.trace, last.cost_is_unused
    module.drop_trace()
    module.eval()
    try:
        with warnings.catch_warnings():  # what is not trained yet may still be
            warnings.simplefilter('ignore', UserWarning)
            module.forward(*args, **kwargs)
        return module.trace
    finally:
        module.train(modes[module])
        for part, mode in modes.items():
            part.training = mode
        last.trace, last.cost_is_unused = kept
