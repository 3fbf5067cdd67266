"""One picture through a toolbox's own inferencer and visualiser, with its cost."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import VISUALIZERS, init_default_scope

from ..cli.demo.panel import SHORTEST, Prediction
from ..core.adaptive import AdaptiveModule
from ..timing import checked_device
from ..warm_start.safe_loading import state_dict_of
from .checkpoints import load_weights_only, palette, weights_for
from .configs import read_config, toolbox_of
from .evaluation.budget_runs import at_depths
from .evaluation.image_compute import image_compute
from .evaluation.logged_evaluation import BatchTimes
from .traces import TraceCollector

INFERENCERS = {  # package and class
    'mmdet': ('mmdet.apis', 'DetInferencer'),
    'mmseg': ('mmseg.apis', 'MMSegInferencer'),
    'mmpretrain': ('mmpretrain', 'ImageClassificationInferencer'),
}


class Predictor:
    """A trained iterative model with its toolbox's test pipeline.

    The ``budget`` is the share of the full MACs that fitted halting is to meet, ``score`` the lowest of
    a drawn box. ValueError: one of the arguments is not what it must be.
    """

    def __init__(
        self, config: Path, checkpoint: str, device: str, budget: float | None, score: float
    ) -> None:
        cfg = read_config(config)
        self._toolbox = toolbox_of(cfg)
        if not (cfg.get('test_dataloader') or {}).get('dataset'):
            raise ValueError(f'config must have a test_dataloader, whose pipeline is used: {config}')
        content = load_weights_only(checkpoint)  # what is wrong with it is said here, not in a trace
        state_dict_of(content, checkpoint)
        package, name = INFERENCERS[self._toolbox]
        init_default_scope(self._toolbox)
        quiet: dict[str, Any] = {} if self._toolbox == 'mmpretrain' else {'show_progress': False}
        with redirect_stdout(io.StringIO()):  # mmengine prints each key that does not fit
            make = getattr(import_module(package), name)
            self._inferencer = make(cfg, checkpoint, device=checked_device(device), **quiet)
        weights_for(self._inferencer.model, content, checkpoint)  # raises for those
        if self._toolbox == 'mmseg':  # or its visualizer draws the classes of Cityscapes
            meta = self._inferencer.model.dataset_meta
            classes, colours = meta['classes'] or (), meta.get('palette') or ()
            if len(colours) != len(classes):
                colours = palette(len(classes))
            self._inferencer.visualizer.set_dataset_meta(classes, colours)
        self._device, self._score = torch.device(device), score
        self._collector = TraceCollector(self._inferencer.model)
        self._modules: list[AdaptiveModule] = self._collector.modules
        for module in self._modules if budget is not None else ():
            module.set_budget(share=budget)

    def predict(self, bgr: np.ndarray, full_depth: bool = False) -> Prediction:
        """Run the model on one picture, (H, W, 3) uint8, or at full depth, budget or not."""
        data = next(iter(self._inferencer.preprocess([bgr], batch_size=1)))
        if self._toolbox == 'mmdet':  # which hands the pictures on, too
            data = data[1]
        self._collector.reset()
        depths = [module.max_iterations for module in self._modules] if full_depth else None
        with at_depths(self._modules, depths):
            times = BatchTimes(self._device)
            times.start()
            (sample,) = self._inferencer.forward(data)
            times.stop(1)
        (compute,) = image_compute(self._collector, 1)
        instances = sample.get('pred_instances')
        boxes = None if instances is None else int((instances.scores > self._score).sum())
        called = {call.module for call in self._collector.calls}
        backbones = [m for m in self._modules if m in called and not m.of_regions]
        stages = [stage for module in backbones for stage in module.iterative_stages()]
        limits = tuple(sum(b.max_iterations for b in s.iterative_blocks()) for s in stages)
        iterations, macs = tuple(compute['iterations']), (compute['macs'], compute['macs_full'])
        return Prediction(sample, boxes, iterations, limits, *macs, 1000 * times.seconds[0])

    def draw(self, bgr: np.ndarray, prediction: Prediction) -> np.ndarray:
        """The prediction on its picture by the toolbox's visualiser, uint8 RGB; small ones enlarged."""
        rgb, sample = np.ascontiguousarray(bgr[..., ::-1]), prediction.sample
        if self._toolbox == 'mmpretrain':
            options = dict(type='mmpretrain.UniversalVisualizer', name='iterbackbone demo')
            larger = max(1.0, SHORTEST / max(rgb.shape))  # the text would be no larger than the picture
            return VISUALIZERS.build(options).visualize_cls(
                rgb, sample, self._inferencer.classes, draw_gt=False, rescale_factor=larger
            )
        visualizer, options = self._inferencer.visualizer, {}
        if self._toolbox == 'mmseg':
            sample = sample.numpy()  # it would take a tensor of one pixel for an index
        else:
            options = {'pred_score_thr': self._score}
        visualizer.add_datasample('demo', rgb, sample, draw_gt=False, **options)
        return visualizer.get_image()
