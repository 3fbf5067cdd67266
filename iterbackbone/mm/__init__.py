"""The only place that imports OpenMMLab: adapters and hooks."""

from .backbone import IterativeResNet
from .iteration_log_hook import IterationLogHook
from .metainfo import report_iterations
from .ponder_hook import PonderCostHook
from .roi_head import IterativeResLayer
from .stage_distillation import StageDistillationHook
from .training.anytime_hook import AnytimeHook
from .training.layer_decay import LearningRateDecayOptimizerConstructor

__all__ = [
    'AnytimeHook',
    'IterationLogHook',
    'IterativeResLayer',
    'IterativeResNet',
    'LearningRateDecayOptimizerConstructor',
    'PonderCostHook',
    'StageDistillationHook',
    'report_iterations',
]
