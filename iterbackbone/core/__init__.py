"""The pure model: torch only."""

from .resnet import IterativeResNet
from .roi_layer import IterativeResLayer
from .trace import HaltingTrace

__all__ = ['HaltingTrace', 'IterativeResLayer', 'IterativeResNet']
