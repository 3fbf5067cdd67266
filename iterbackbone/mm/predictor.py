"""One picture through a model's test pipeline and its toolbox's visualiser, with its cost."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import VISUALIZERS

from ..cli.demo.panel import SHORTEST, Prediction
from ..core.adaptive import AdaptiveModule
from .checkpoints import palette
from .configs import pipeline_of, read_config, toolbox_of, trained_model, type_name
from .evaluation.budget_runs import at_depths
from .evaluation.image_compute import image_compute
from .evaluation.logged_evaluation import BatchTimes
from .traces import TraceCollector

DRAWN_BY = {
    'mmdet': 'mmdet.DetLocalVisualizer',
    'mmseg': 'mmseg.SegLocalVisualizer',
    'mmpretrain': 'mmpretrain.UniversalVisualizer',
}
NUMBERS = tuple(map(str, range(1000)))  # names of the classes where the checkpoint has none


class Predictor:
    """A trained iterative model with the test pipeline of its config.

    The ``budget`` is the share of the full MACs that fitted halting is to meet, ``score`` the lowest of
    a drawn box. ValueError: one of the arguments is not what it must be.
    """

    def __init__(
        self, config: Path, checkpoint: str, device: str, budget: float | None, score: float
    ) -> None:
        cfg = read_config(config)
        self._toolbox, self._score = toolbox_of(cfg), score
        steps = pipeline_of(cfg)
        if not steps:
            raise ValueError(f'config must have a test_dataloader, whose pipeline is used: {config}')
        self._model, content = trained_model(cfg, checkpoint, device)
        with redirect_stdout(io.StringIO()):  # mmdet prints what it cannot import
            self._pipeline = Compose([s for s in steps if not type_name(s).startswith('Load')])
        meta = (content.get('meta') or {}).get('dataset_meta') or {}
        self._classes, colours = meta.get('classes') or NUMBERS, meta.get('palette') or ()
        if len(colours) != len(self._classes):
            colours = palette(len(self._classes))
        options = dict(type=DRAWN_BY[self._toolbox], name='iterbackbone demo')
        self._visualizer = VISUALIZERS.build(options)
        colours = [tuple(colour) for colour in colours]
        self._visualizer.dataset_meta = dict(classes=self._classes, palette=colours)
        self._device = torch.device(device)
        self._collector = TraceCollector(self._model)
        self._modules: list[AdaptiveModule] = self._collector.modules
        try:
            for module in self._modules if budget is not None else ():
                module.set_budget(share=budget)
        except ValueError as error:
            raise ValueError(str(error).replace('budget.share', '--budget')) from None

    @torch.no_grad()
    def predict(self, bgr: np.ndarray, full_depth: bool = False) -> Prediction:
        """Run the model on one picture, (H, W, 3) uint8, or at full depth, budget or not."""
        size = bgr.shape[:2]
        data = self._pipeline(dict(img=bgr, img_shape=size, ori_shape=size, img_path='', img_id=0))
        self._collector.reset()
        depths = [module.max_iterations for module in self._modules] if full_depth else None
        with at_depths(self._modules, depths):
            times = BatchTimes(self._device)
            times.start()
            (sample,) = self._model.test_step(pseudo_collate([data]))
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
        rgb, sample, options = np.ascontiguousarray(bgr[..., ::-1]), prediction.sample, {}
        if self._toolbox == 'mmpretrain':
            larger = max(1.0, SHORTEST / max(rgb.shape))  # the text would be no larger than the picture
            return self._visualizer.visualize_cls(
                rgb, sample, self._classes, draw_gt=False, rescale_factor=larger
            )
        if self._toolbox == 'mmseg':
            sample = sample.numpy()  # it would take a tensor of one pixel for an index
        else:
            options = {'pred_score_thr': self._score}
        self._visualizer.add_datasample('demo', rgb, sample, draw_gt=False, **options)
        return self._visualizer.get_image()
