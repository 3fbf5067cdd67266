"""Runs a model over images at given depths or settings, and keeps what it found on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ...core.budget_table import Setting
from ...core.halting import HaltingUnit
from ...fitting.halting import NEVER, all_blocks
from ...fitting.static import Depths, Outcome
from ...tensor_file import save_whole
from ..evaluation.image_compute import image_compute
from ..traces import TraceCollector
from .image_losses import TwoStageLosses, losses_of, run_regions


class ModelRuns:
    """One model on one set of images.

    Args:
        model: In evaluation mode.
        loader: Of the images, in a fixed order.
        cache: Folder for results, so that an interrupted fit goes on; None for none.
        identity: What the results depend on beside depths: checkpoint and images.
        progress: Wraps the batches, such as tqdm.

    Attributes:
        modules: The model's iterative modules.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: DataLoader,
        cache: Path | None = None,
        identity: str = '',
        progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    ) -> None:
        self.model, self.loader, self.cache, self.progress = model, loader, cache, progress
        self.identity = identity
        self._losses = losses_of(model)
        self._collector = TraceCollector(model)
        self.modules = self._collector.modules

    def __len__(self) -> int:
        return len(self.loader.dataset)  # type: ignore[arg-type]

    def losses(self, depths: Depths) -> Outcome:
        """At given depths of all blocks."""
        return self.policy(static(self.modules, depths), key=list(depths))

    @torch.no_grad()
    def policy(self, settings: Sequence[Setting], key: Any = None) -> Outcome:
        """At the modules' settings; kept on disk under ``key``."""
        path = self._path('losses', key)
        if path is not None and path.exists():
            return Outcome(*torch.load(path, weights_only=True))
        self._prepare()
        self._apply(settings)
        rows = [row for batch in self._batches() for row in self._outcomes(*batch)]
        losses, macs, scores = zip(*rows, strict=True)
        known = None if None in scores else torch.tensor(scores, dtype=torch.double)
        outcome = Outcome(*(torch.tensor(v, dtype=torch.double) for v in (losses, macs)), known)
        self._keep(path, tuple(outcome))
        return outcome

    @torch.no_grad()
    def inputs(self, depths: Depths, block: int) -> Tensor:
        """Of a block's halting unit in all its iterations, others at ``depths``: (L - 1, N, D)."""
        path = self._path('inputs', [list(depths), block])
        if path is not None and path.exists():
            return torch.load(path, weights_only=True)
        full = all_blocks(self.modules)[block]
        self._apply(static(self.modules, (*depths[:block], full.max_iterations, *depths[block + 1 :])))
        assert full.halting is not None
        with recorded(full.halting) as seen:
            for inputs, _ in self._batches():
                self.model.extract_feat(inputs)  # type: ignore[operator]
        each = full.max_iterations - 1
        found = torch.stack([torch.cat(seen[j::each]) for j in range(each)])
        self._keep(path, found)
        return found

    def fittable(self, block: int) -> bool:
        """Whether a block's rows are the images, not regions of them."""
        owners = [m for m in self.modules for _ in m.max_iterations]
        return not owners[block].of_regions

    def _prepare(self) -> None:
        if isinstance(self._losses, TwoStageLosses) and not self._losses.proposals:
            limits = tuple(n for module in self.modules for n in module.max_iterations)
            self._apply(static(self.modules, limits))
            for inputs, samples in self._batches():
                features = self.model.extract_feat(inputs)  # type: ignore[operator]
                self._losses.keep_proposals(features, samples)

    def _apply(self, settings: Sequence[Setting]) -> None:
        for module, setting in zip(self.modules, settings, strict=True):
            module.apply_setting(setting)

    def _batches(self) -> Iterator[tuple[Tensor, list[Any]]]:
        for batch in self.progress(self.loader):
            data = self.model.data_preprocessor(batch, False)  # type: ignore[operator]
            yield data['inputs'], data['data_samples']

    def _outcomes(self, inputs: Tensor, samples: list[Any]) -> list[tuple[float, float, float | None]]:
        self._collector.reset()
        features = self.model.extract_feat(inputs)  # type: ignore[operator]
        calls = list(self._collector.calls)  # of the backbone: a loss runs heads on other regions
        losses = self._losses(inputs, features, samples)
        self._collector.calls[:] = calls
        if any(module.of_regions for module in self.modules):
            run_regions(self.model, features, samples)
        computes = image_compute(self._collector, len(samples))
        return [
            (found.loss, float(compute['macs']), found.score)
            for found, compute in zip(losses, computes, strict=True)
        ]

    def _path(self, kind: str, key: Any) -> Path | None:
        if self.cache is None or key is None:
            return None
        text = json.dumps([self.identity, kind, key])
        return self.cache / f'{hashlib.sha256(text.encode()).hexdigest()[:24]}.pt'

    def _keep(self, path: Path | None, value: Any) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_whole(value, path)


def static(modules: Sequence[Any], depths: Depths) -> list[Setting]:
    """Settings of modules whose blocks stop at these depths."""
    rest, found = list(depths), []
    for module in modules:
        own, rest = rest[: len(module.max_iterations)], rest[len(module.max_iterations) :]
        found.append(Setting((NEVER,) * len(own), tuple(own)))
    return found


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
