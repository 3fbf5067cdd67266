"""The parts of a network that the remedies work on."""

from __future__ import annotations

from torch import nn

from iterbackbone.core.block import IterativeBlock
from iterbackbone.core.halting import HaltingUnit


def halting_units(model: nn.Module) -> list[HaltingUnit]:
    return [m for m in model.modules() if isinstance(m, HaltingUnit)]


def blocks(model: nn.Module) -> list[IterativeBlock]:
    return [m for m in model.modules() if isinstance(m, IterativeBlock)]
