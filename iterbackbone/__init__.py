"""iterbackbone: an adaptive, weight-shared ResNet for detectors and segmentors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = '0.1.0'
__all__ = ['HaltingTrace', 'IterativeResLayer', 'IterativeResNet']

if TYPE_CHECKING:
    from .core import HaltingTrace, IterativeResLayer, IterativeResNet


def __getattr__(name: str) -> Any:
    # Lazily, so that iterbackbone.stats and the command line work without torch.
    if name in __all__:
        from . import core

        return getattr(core, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
