"""A hook under which no two ranks need the same number of iterations, for a tool's config."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from iterbackbone.core.halting import HaltingUnit
from iterbackbone.mm.traces import unwrapped


class UnequalRanks(Hook):
    """In training rank 0 runs all iterations and every other rank one of each block.

    The scores are shifted, not the weights, so that the weights can stay the same on all ranks.
    Afterwards every rank writes its parameters and its halting units' calls into ``rank_N.pth``
    of the work folder.
    """

    def before_train(self, runner):
        self._calls = 0
        self._goal = 0.001 if get_rank() == 0 else 1.0
        for module in unwrapped(runner.model).modules():
            if isinstance(module, HaltingUnit):
                module.register_forward_hook(self._shift)

    def after_train(self, runner):
        parameters = {n: p.detach() for n, p in unwrapped(runner.model).named_parameters()}
        found = {'calls': self._calls, 'parameters': parameters}
        torch.save(found, Path(runner.work_dir, f'rank_{get_rank()}.pth'))

    def _shift(self, unit, _, score):
        if not unit.training:
            return None
        self._calls += 1
        return score - score.detach() + self._goal
