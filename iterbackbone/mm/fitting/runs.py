"""Runs a model over images at given depths or settings."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ...core.budget_table import Setting
from ...core.halting import HaltingUnit
from ...fitting.halting import BlockRows, all_blocks, by_module
from ...fitting.static import Depths, Outcome
from ...tensor_file import save_whole
from ..evaluation.image_compute import image_compute
from ..traces import TraceCollector, iterative_modules
from .losses import Features, TwoStageLoss, loss_of

REGIONS = 32  # of an image, to fit the unit of a RoI layer


class ModelRuns:
    """Runs of a model in evaluation mode on the images of a loader, in a fixed order.

    Results are kept in the folder ``cache``, so that an interrupted fit goes on, or else as long as
    this object; they depend on the ``identity``: checkpoint and images. ``progress`` wraps the batches.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: DataLoader,
        cache: Path | None = None,
        identity: str = '',
        progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ) -> None:
        self.model: Any = model
        self.loader, self._progress = loader, progress
        self._own: Any = TemporaryDirectory() if cache is None else None
        self._cache, self._identity = Path(cache or self._own.name), identity
        self._cache.mkdir(parents=True, exist_ok=True)
        self._loss_of = loss_of(model)
        self.modules = list(iterative_modules(model))
        self._full = Setting.static([n for m in self.modules for n in m.max_iterations])

    def losses(self, depths: Depths) -> Outcome:
        """At given depths of all blocks."""
        return self.policy(Setting.static(depths))

    def policy(self, setting: Setting) -> Outcome:
        """At a setting of all blocks."""
        return Outcome(*self._kept(setting, partial(self._run, setting)))

    def rows(self, block: int, depths: Sequence[Depths]) -> BlockRows:
        """A block's, at given depths of all blocks; its own ascend to L, the others' are the same.

        Rows are images, or regions of a RoI layer, at most ``REGIONS`` of an image.
        """
        unit = all_blocks(self.modules)[block].halting
        owners = [module for module in self.modules for _ in module.max_iterations]
        inputs = None
        if unit is not None and not owners[block].of_regions:
            run = partial(self._inputs, depths[-1], unit)
            inputs = self._kept(['inputs', block, depths[-1]], run)
        elif unit is not None and isinstance(self._loss_of, TwoStageLoss) and self._loss_of.has_regions:
            run = partial(self._regions, self._loss_of, depths, unit)
            return BlockRows(*self._kept(['regions', block, depths], run))
        losses = torch.stack([self.losses(each).losses for each in depths], dim=1)
        return BlockRows(inputs, losses, torch.arange(len(losses)))

    def _kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """The tensors of a JSON-ready key, made if there are none yet."""
        name = hashlib.sha256(json.dumps([self._identity, key]).encode()).hexdigest()[:24]
        path = self._cache / f'{name}.pt'
        if not path.exists():
            if key != self._full:  # which proposes by itself
                self._prepare()
            save_whole(make(), path)
        return torch.load(path, weights_only=True)

    @torch.no_grad()
    def _run(self, setting: Setting) -> tuple[Tensor, Tensor, Tensor | None]:
        self._apply(setting)
        collector = TraceCollector(self.model)  # attached for this pass: others' would fill up
        try:
            rows = [row for batch in self._batches() for row in self._outcomes(collector, *batch)]
        finally:
            collector.detach()
        losses, macs, scores = zip(*rows, strict=True)
        known = None if None in scores else torch.tensor(scores, dtype=torch.double)
        return torch.tensor(losses, dtype=torch.double), torch.tensor(macs, dtype=torch.double), known

    def _prepare(self) -> None:
        """Let full depth propose the regions on which all depths are compared."""
        if isinstance(self._loss_of, TwoStageLoss) and not self._loss_of.proposals:
            found = self._run(self._full)
            self._kept(self._full, lambda: found)

    def _inputs(self, depths: Depths, unit: HaltingUnit) -> Tensor:
        """Of a unit in all iterations of its block, (L - 1, N, D); the losses are kept, too."""
        setting = Setting.static(depths)
        with recorded(unit) as seen:
            found = self._run(setting)
        self._kept(setting, lambda: found)
        each = len(seen) // len(self.loader)
        return torch.stack([torch.cat(seen[j::each]) for j in range(each)])

    @torch.no_grad()
    def _regions(
        self, losses: TwoStageLoss, depths: Sequence[Depths], unit: HaltingUnit
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of a RoI layer; an image's features serve all depths."""
        found: list[tuple[Tensor, Tensor]] = []
        self._apply(Setting.static(depths[-1]))  # as the loop over depths leaves it
        for features, samples in self._batches():
            for i, sample in enumerate(samples):
                rows = []
                for each in depths:
                    self._apply(Setting.static(each))
                    with recorded(unit) as seen:
                        rows.append(losses.region_losses(one_image(features, i), sample))
                some = slice(None, None, max(1, math.ceil(len(rows[0]) / REGIONS)))
                found.append((torch.stack(seen)[:, some], torch.stack(rows, dim=1)[some]))
        images = [torch.full((len(rows),), i) for i, (_, rows) in enumerate(found)]
        found = [(seen, rows) for seen, rows in found if len(rows)]  # one without regions halts at once
        if not found:
            raise ValueError('--fit must have images with regions that the RoI head samples')
        inputs, rows = zip(*found, strict=True)
        return torch.cat(inputs, dim=1), torch.cat(rows), torch.cat(images)

    def _apply(self, setting: Setting) -> None:
        for module, own in zip(self.modules, by_module(setting, self.modules), strict=True):
            module.apply_setting(own)

    def _batches(self) -> Iterator[tuple[Features, list[Any]]]:
        for batch in self._progress(self.loader):
            data = self.model.data_preprocessor(batch, False)
            yield tuple(self.model.extract_feat(data['inputs'])), data['data_samples']

    def _outcomes(
        self, collector: TraceCollector, features: Features, samples: list[Any]
    ) -> list[tuple[float, float, float | None]]:
        calls = list(collector.calls)  # of the backbone: a loss runs heads on other regions
        losses = [self._loss_of(one_image(features, i), each) for i, each in enumerate(samples)]
        collector.calls[:] = calls
        if any(module.of_regions for module in self.modules):
            proposals = self.model.rpn_head.predict(features, samples, rescale=False)
            self.model.roi_head.predict(features, proposals, samples, rescale=False)
        computes = image_compute(collector, len(samples))
        collector.reset()
        return [
            (loss, float(compute['macs']), score)
            for (loss, score), compute in zip(losses, computes, strict=True)
        ]


def one_image(features: Features, i: int) -> Features:
    """Those of image ``i`` of a batch."""
    return tuple(f[i : i + 1] for f in features)


@contextmanager
def recorded(unit: HaltingUnit) -> Iterator[list[Tensor]]:
    """What a halting unit's first layer reads, (B, D) of each call."""
    seen: list[Tensor] = []
    handle = unit.register_forward_pre_hook(
        lambda _, pooled: seen.append(unit.normalised(torch.stack(pooled, dim=1)).flatten(1).cpu())
    )
    try:
        yield seen
    finally:
        handle.remove()
