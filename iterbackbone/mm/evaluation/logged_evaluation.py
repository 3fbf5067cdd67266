"""One evaluation that is being logged: its passes, batches and folders."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from ...core.adaptive import AdaptiveModule
from ...core.macs import Size
from ..traces import TraceCollector
from .folder import EvaluationFolder
from .image_compute import image_compute
from .meta import evaluation_meta, plain_metric
from .sample_record import SampleReader
from .sources import Index, sampled_indices


@dataclass
class BatchTimes:
    """A stopwatch for the batches of one pass over the data."""

    device: torch.device  # of the model
    seconds: list[float] = field(default_factory=list)  # an image of each batch took
    batch_size: int = 0  # the largest
    _started: float = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self, images: int) -> None:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)  # work that is only queued has taken no time yet
        if images:
            self.seconds.append((time.perf_counter() - self._started) / images)
        self.batch_size = max(self.batch_size, images)

    def fields(self) -> dict[str, Any] | None:
        """``time`` of ``meta.json``, the median over this rank's batches; None without any."""
        if not self.seconds:
            return None
        on_gpu = self.device.type == 'cuda'
        name = torch.cuda.get_device_name(self.device) if on_gpu else self.device.type
        return {
            'milliseconds_per_image': round(1000 * median(self.seconds), 4),
            'batch_size': self.batch_size,
            'device': name,
            'threads': torch.get_num_threads(),
        }


@dataclass
class EvaluationPass:
    """One pass over the data: some loops evaluate a teacher and then its student."""

    folder: EvaluationFolder  # its log
    times: BatchTimes  # from the loaded data to the updated metric, without loading and logging
    task: str | None = None  # of its data samples
    # (H, W) of the last input of each module that was called.
    sizes: dict[AdaptiveModule, Size] = field(default_factory=dict)


class LoggedEvaluation:
    """Writes what the images of an evaluation took; made on all ranks before the first batch.

    The ``collector`` listens to the model, the ``mode`` is ``'val'`` or ``'test'``, ``weights`` are as
    of :func:`.loaded_weights`.
    """

    def __init__(
        self, runner: Runner, collector: TraceCollector, mode: str, weights: dict[str, Any]
    ) -> None:
        loop = getattr(runner, f'{mode}_loop')
        self.collector, self._weights = collector, weights
        self._dataset = loop.dataloader.dataset
        self._indices = sampled_indices(loop.dataloader)
        self._reader = SampleReader(self._dataset, runner.model, getattr(loop, 'evaluator', None))
        # Loops that count train_iters only leave the epoch at 0.
        unit = 'iter' if weights['iter'] and not weights['epoch'] else 'epoch'
        self._path = Path(runner.log_dir, 'iterations', f'{mode}_{unit}_{weights[unit]}')
        self._of_some = False
        self._device = next(runner.model.parameters()).device
        self._passes = [self._new_pass()]

    def of_some(self, name: str) -> LoggedEvaluation:
        """A further log of the same data, of some images only, in the folder ``..._budgets``."""
        other = copy.copy(self)
        other._path = self._path.with_name(f'{self._path.name}_budgets') / name
        other._of_some = True
        other._passes = [other._new_pass()]
        return other

    def _new_pass(self) -> EvaluationPass:
        return EvaluationPass(EvaluationFolder(self._path), BatchTimes(self._device))

    def begin_batch(self, batch_idx: int) -> None:
        self.collector.reset()
        if batch_idx == 0 and self._passes[-1].times.seconds:  # another pass
            self._passes.append(self._new_pass())
        self._passes[-1].times.start()

    def write(self, batch_idx: int, batch: Any, outputs: Any) -> None:
        current = self._passes[-1]
        samples = samples_of(outputs, batch)
        current.times.stop(len(samples))
        current.sizes |= {call.module: call.trace.input_size for call in self.collector.calls}
        images = image_compute(self.collector, len(samples))
        indices = self._indices_of(batch_idx, len(samples))
        for sample, compute, index in zip(samples, images, indices, strict=True):
            found = self._reader(sample, index)
            current.task = found.task or current.task
            current.folder.write({**found.record, **compute}, found.prediction, found.pngs, index)

    def _indices_of(self, batch_idx: int, images: int) -> list[Index | None]:
        """None where they are unknown; several images of one index are the frames of a video."""
        drawn = self._indices[batch_idx] if batch_idx < len(self._indices) else []
        if len(drawn) == 1 < images and isinstance(drawn[0], int):
            return [(drawn[0], frame) for frame in range(images)]
        return drawn if len(drawn) == images else [None] * images

    def publish(self, runner: Runner, metrics: dict[str, float] | None) -> Iterator[tuple[Path, str]]:
        """Merge the ranks' parts; on the main process each pass's folder and label."""
        names = self.collector.names
        for each, label in zip(self._passes, labels(self._passes, names), strict=True):
            meta = evaluation_meta(runner, self._dataset, names, each.sizes)
            meta |= {'task': each.task, 'time': each.times.fields(), **self._weights}
            score = own_metrics(metrics, label)
            meta['score'] = {key: plain_metric(value) for key, value in score.items()}
            images = meta['dataset']['num_images']
            if self._of_some:  # a reader would miss the others
                del meta['dataset']['num_images']
            lines = each.folder.publish(meta, label)
            if is_main_process():
                if not self._of_some and lines != images:
                    text = f'{each.folder.path} has {lines} lines, the data set {images} images'
                    runner.logger.warning(text)
                yield each.folder.path, label


def samples_of(outputs: Any, batch: Any) -> list[Any]:
    """Data samples in a model's outputs, one an image or frame; without any None for each image."""
    if isinstance(outputs, Sequence) and all(isinstance(o, BaseDataElement) for o in outputs):
        return [frame for sample in outputs for frame in sample.get('video_data_samples', [sample])]
    fields = list(batch.values()) if isinstance(batch, Mapping) else batch
    return [None] * len(fields[0])


def labels(passes: Sequence[EvaluationPass], names: Mapping[AdaptiveModule, str]) -> list[str]:
    """What tells the passes apart: ``teacher`` where one called ``teacher.backbone`` only, else ''."""
    children = [{names[module].split('.')[0] for module in each.sizes} for each in passes]
    found = [next(iter(each)) if len(each) == 1 else '' for each in children]
    return found if len(set(found)) == len(found) > 1 else [''] * len(found)


def own_metrics(metrics: Mapping[str, Any] | None, label: str) -> dict[str, Any]:
    """Those that the loop marked with the label, without the mark; all where it marked none."""
    metrics, mark = dict(metrics or {}), f'{label}/'
    own = {key.removeprefix(mark): v for key, v in metrics.items() if key.startswith(mark)}
    return own if label and own else metrics
