"""mmengine's EMAHook beside the two hooks of this package."""

from __future__ import annotations

import torch
from core.networks import stop_at_once
from mmengine.hooks import Hook
from support import LabelledImages, TinyClassifier, labelled_loader, read_log, train_tiny

from iterbackbone.mm import IterationLogHook, PonderCostHook
