"""Logs, for every evaluated image, the iterations it took and the objects it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...registry import HOOKS
from ..traces import TraceCollector, unwrapped
from .evaluated_weights import EvaluatedWeights
from .evaluation_pass import EvaluationPass, labels, own_metrics
from .folder import EvaluationFolder
from .image_compute import image_compute
from .meta import evaluation_meta
from .outputs import samples_of
from .sample_record import SampleReader
from .sampled_indices import SampledIndices


@HOOKS.register_module()
class IterationLogHook(Hook):
    """Writes ``<work_dir>/<timestamp>/iterations/{val,test}_{epoch|iter}_<n>/``.

    ``records.jsonl`` holds one line an image (its fields:
    :class:`~iterbackbone.log.schema.IterationRecord`), ``predictions.jsonl`` true and
    predicted boxes or the files of label maps and pictures, ``meta.json`` the model, its parameters
    and MACs, the data and the score. The folder's name ends in ``.part`` until the evaluation
    is complete, and after a kill. Ranks must share ``work_dir``.

    ``n`` is the epoch or training step of the weights, 0 where a tested checkpoint does not
    say; a second evaluation of that name gets ``_2``. Where a loop passes over the data several
    times, each pass has a folder, such as ``val_epoch_1_teacher`` and ``val_epoch_1_student``.
    Evaluate with batch size 1 for iterations that do not depend on padding.
    """

    def __init__(self) -> None:
        self._collector: TraceCollector | None = None
        self._passes: list[EvaluationPass] = []
        self._path = Path()
        self._weights = EvaluatedWeights()
        self._described: dict[str, Any] = {}
        self._indices = SampledIndices(())
        self._reader: SampleReader | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember which weights are evaluated."""
        self._weights.note_loading(runner, checkpoint)

    def before_val_epoch(self, runner: Runner) -> None:
        """Open the folder."""
        self._begin(runner, 'val', runner.val_loop)

    def before_test_epoch(self, runner: Runner) -> None:
        """Open the folder."""
        self._begin(runner, 'test', runner.test_loop)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start collecting; the first batch of another pass opens another folder."""
        assert self._collector is not None
        self._collector.reset()
        if batch_idx == 0 and self._passes[-1].begun:
            self._open()
        self._passes[-1].time.start()

    before_test_iter = before_val_iter

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the batch's lines."""
        self._write(batch_idx, data_batch, outputs)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the batch's lines."""
        self._write(batch_idx, data_batch, outputs)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Merge the ranks' parts."""
        self._finish(runner, runner.val_dataloader, metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Merge the ranks' parts."""
        self._finish(runner, runner.test_dataloader, metrics)

    def _begin(self, runner: Runner, mode: str, loop: Any) -> None:
        if self._collector is not None:  # an earlier evaluation of this process broke off
            self._collector.detach()
        model = unwrapped(runner.model)
        if not getattr(model, 'prototype_inited', True):
            model.prepare_prototype()  # a retriever's, which it would encode in the first batch
        self._collector = TraceCollector(model)
        self._described = self._weights.describe(runner)
        self._indices = SampledIndices.of(loop.dataloader)
        evaluator = getattr(loop, 'evaluator', None)
        self._reader = SampleReader(loop.dataloader.dataset, runner.model, evaluator)
        # Loops that count train_iters only leave the epoch at 0.
        unit = 'iter' if self._described['iter'] and not self._described['epoch'] else 'epoch'
        self._path = Path(runner.log_dir, 'iterations', f'{mode}_{unit}_{self._described[unit]}')
        self._passes = []
        self._open()

    def _open(self) -> None:
        self._passes.append(EvaluationPass(EvaluationFolder(self._path)))

    def _write(self, batch_idx: int, batch: Any, outputs: Any) -> None:
        assert self._collector is not None
        assert self._reader is not None
        current = self._passes[-1]
        current.begun = True
        current.time.stop(len(outputs))
        current.sizes |= {call.module: call.trace.input_size for call in self._collector.calls}
        samples = samples_of(outputs, batch)
        images = image_compute(self._collector, len(samples))
        indices = self._indices.batch(batch_idx, len(samples))
        for sample, compute, index in zip(samples, images, indices, strict=True):
            found = self._reader(sample, index)
            current.task = found.task or current.task
            current.folder.write({**found.record, **compute}, found.prediction, found.pngs, index)

    def _finish(self, runner: Runner, dataloader: Any, metrics: dict[str, float] | None) -> None:
        assert self._collector is not None
        names = self._collector.names
        self._collector.detach()
        self._collector = None
        for each, label in zip(self._passes, labels(self._passes, names), strict=True):
            score = own_metrics(metrics, label)
            weights, dataset = self._described, dataloader.dataset
            meta = evaluation_meta(runner, dataset, names, each.sizes, each.task, score, weights)
            meta['time'] = each.time.describe(next(unwrapped(runner.model).parameters()).device)
            lines, images = each.folder.publish(meta, label), meta['dataset']['num_images']
            if is_main_process():
                if lines != images:
                    runner.logger.warning(
                        f'{each.folder.path} has {lines} lines, the data set {images} images'
                    )
                self._show(runner, each.folder.path, f'{label}.' if label else '')

    def _show(self, runner: Runner, folder: Path, prefix: str) -> None:
        """The console's line, the visualizer's scalars and picture."""
        from .summary import summarise_log  # matplotlib and scipy: only when needed

        try:
            summary = summarise_log(folder)
        except Exception as error:  # the log is written: a summary must not end a training
            runner.logger.warning(f'the iteration log {folder} has no summary: {error!r}')
            return
        runner.logger.info(summary.line)
        mode, _, step, *_ = folder.name.split('_')
        scalars = {f'{mode}/{prefix}{name}': value for name, value in summary.scalars.items()}
        runner.visualizer.add_scalars(scalars, step=int(step))
        if summary.picture is not None:
            name = f'{mode}_{prefix}iterations_and_objects'
            runner.visualizer.add_image(name, summary.picture, int(step))
