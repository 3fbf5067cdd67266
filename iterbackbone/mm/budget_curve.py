"""What a checkpoint with fitted halting scores and takes at each share of its full MACs."""

from __future__ import annotations

import argparse
import copy
import io
import json
import math
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from mmengine.config import Config, DictAction
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from ..files import write_together
from ..report.figures import budget_figure
from ..report.measures import main_score
from ..report.tables import conditions
from ..text import aligned
from .configs import read_config, trained_model
from .evaluation.image_compute import image_compute
from .evaluation.logged_evaluation import BatchTimes
from .evaluation.meta import plain_metric
from .fitting.images import ImageSpec
from .traces import TraceCollector


class BudgetPoint(NamedTuple):
    """One share of the full MACs, as calibrated and as met: ms an image (median), scores by name."""

    asked: float
    share: float
    ms: float
    scores: dict[str, float]


class BudgetCurve(NamedTuple):
    """What was run where, which score is drawn, and the points by ascending share."""

    where: str
    score: str
    points: list[BudgetPoint]

    def text(self) -> str:
        """A table for a terminal."""
        rows = [('asked', 'share', 'ms', self.score)]
        for asked, share, ms, scores in self.points:
            rows.append((f'{asked:.3f}', f'{share:.3f}', f'{ms:.2f}', f'{scores[self.score]:.4f}'))
        return '\n'.join([*aligned(rows), f'ms: of an image in test_step, median; {self.where}'])

    def write(self, picture: Path) -> None:
        """The picture, and the figures as JSON beside it."""
        _, shares, times, found = zip(*self.points, strict=True)
        scores, png = [scores[self.score] for scores in found], io.BytesIO()
        budget_figure(shares, (self.score, scores), times, self.where).savefig(png)
        plain = {**self._asdict(), 'points': [point._asdict() for point in self.points]}
        table = (json.dumps(plain, indent=1) + '\n').encode()
        files = {picture.with_suffix('.json').name: table, picture.name: png.getvalue()}
        write_together(picture.parent, files)


@torch.no_grad()
def budget_curve(
    config: Path,
    checkpoint: str,
    device: str = 'cpu',
    most: int | None = None,
    cfg_options: Sequence[str] = (),
) -> BudgetCurve:
    """Run each batch at every share in turn, so that all share the drift of the machine.

    The config has test (or val) data with their evaluator, the checkpoint (path or address) fitted
    halting; at most so many images run, evenly spread. ValueError: one is not what it must be.
    """
    options = argparse.Namespace()
    DictAction([], 'found')(None, options, cfg_options)
    cfg = read_config(config, options.found)
    model, _ = trained_model(cfg, checkpoint, device)
    collector = TraceCollector(model)
    table = collector.modules[0].budget_table
    if table is None:
        raise ValueError(
            f'checkpoint {checkpoint} has no fitted halting, whose shares are compared: '
            'run tools/fit_halting.py on it first'
        )
    spec, evaluator, loader = _images(cfg, most)
    device = next(model.parameters()).device
    budgets = [_Budget(x, evaluator, loader, device) for x in table.rows[:, 0].tolist()]
    for i, batch in enumerate(tqdm(loader, unit='batch', delay=2)):
        if i == 0:
            model.test_step(copy.deepcopy(batch))  # a first pass also loads and plans
        for budget in budgets:
            budget.run(model, collector, copy.deepcopy(batch))
    full = budgets[-1].full  # a cheap one may find other regions
    points = [budget.point(full) for budget in budgets]
    score = main_score([point.scores for point in points])
    if score is None:
        raise ValueError(f"config's evaluator must give a number, it gives none on {spec}")
    time = budgets[0].times.fields()
    where = f'{len(loader.dataset)} images ({spec}), {conditions(time)}'
    return BudgetCurve(where, score, points)


class _Budget:
    """One share: what its images scored, cost and took."""

    def __init__(self, share: float, evaluator: Any, loader: Any, device: torch.device) -> None:
        self.share, self.evaluator = share, Evaluator(copy.deepcopy(evaluator))
        self.evaluator.dataset_meta = getattr(loader.dataset.dataset, 'metainfo', None)
        self.times, self.macs, self.full, self.ids = BatchTimes(device), 0, 0, []

    def run(self, model: nn.Module, collector: TraceCollector, batch: Any) -> None:
        for module in collector.modules:
            module.set_budget(share=self.share)
        collector.reset()
        self.times.start()
        outputs = model.test_step(batch)
        self.times.stop(len(outputs))
        for compute in image_compute(collector, len(outputs)):
            self.macs, self.full = self.macs + compute['macs'], self.full + compute['macs_full']
        self.ids += [sample.get('img_id') for sample in outputs]
        self.evaluator.process(outputs, batch)

    def point(self, full: int) -> BudgetPoint:
        """Its share is of ``full`` MACs."""
        for metric in self.evaluator.metrics:
            if hasattr(metric, 'img_ids'):  # COCO's: others of its file would count as missed
                metric.img_ids = self.ids
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel('WARNING')  # evaluators log tables of classes, and pycocotools prints
        try:
            with redirect_stdout(io.StringIO()):
                found = self.evaluator.evaluate(len(self.ids))
        finally:
            logger.setLevel(level)
        values = {name: plain_metric(value) for name, value in found.items()}
        scores = {k: x for k, x in values.items() if isinstance(x, float) and math.isfinite(x)}
        ms = 1000 * median(self.times.seconds)
        return BudgetPoint(self.share, self.macs / full, ms, scores)


def _images(cfg: Config, most: int | None) -> tuple[ImageSpec, Any, DataLoader]:
    """Of the test or else the val data, with their evaluator."""
    for part in ('test', 'val'):
        loader, evaluator = (cfg.get(f'{part}_{name}') for name in ('dataloader', 'evaluator'))
        if loader and evaluator:
            dataset = DATASETS.build(loader['dataset'])
            if not len(dataset):
                raise ValueError(f"config's {part} data must have an image, it has none")
            spec = ImageSpec(part, 0, None, 1).thinned(len(dataset), most or len(dataset))
            chosen = Subset(dataset, spec.places(len(dataset)))
            return spec, evaluator, Runner.build_dataloader({**loader, 'dataset': chosen})
    raise ValueError('config must have a test_dataloader with a test_evaluator, or those of val')
