"""The only place that imports OpenMMLab: adapters and hooks."""

from .evaluation.iteration_log_hook import IterationLogHook
from .evaluation.report_iterations import report_iterations
from .modules import IterativeResLayer, IterativeResNet
from .training.anytime_hook import AnytimeHook
from .training.distillation_hook import StageDistillationHook
from .training.optimizers import LearningRateDecayOptimizerConstructor
from .training.ponder_hook import PonderCostHook

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
