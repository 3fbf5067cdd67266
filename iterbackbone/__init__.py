"""iterbackbone: an adaptive, weight-shared ResNet for detectors and segmentors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = '0.1.0'
__all__ = ['HaltingTrace', 'IterativeResLayer', 'IterativeResNet', 'create_model', 'list_models']

if TYPE_CHECKING:
    from .core import HaltingTrace, IterativeResLayer, IterativeResNet
    from .pretrained import create_model, list_models


def __getattr__(name: str) -> Any:
    # Lazily, so that iterbackbone.stats and the command line work without torch.
    if name in ('create_model', 'list_models'):
        from . import pretrained

        return getattr(pretrained, name)
    if name in __all__:
        from . import core

        return getattr(core, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
