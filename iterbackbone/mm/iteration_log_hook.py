"""Logs, for every evaluated image, the iterations it took and the objects it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .evaluation_folder import EvaluationFolder
from .evaluation_meta import evaluation_meta
from .image_compute import image_compute
from .sample_record import sample_record
from .trace_collector import TraceCollector
from .unwrapping import unwrapped


@HOOKS.register_module()
class IterationLogHook(Hook):
    """Writes ``<work_dir>/<timestamp>/iterations/{val,test}_{epoch|iter}_<n>/``.

    ``records.jsonl`` holds one line an image (its fields:
    :class:`~iterbackbone.stats.records.IterationRecord`), ``predictions.jsonl`` true and
    predicted boxes or the files of label maps and pictures, ``meta.json`` the model, its parameters
    and MACs, the data and the score. All appear when the evaluation is complete; until then,
    and after a kill, there are only ``.part`` files. Ranks must share ``work_dir``.

    ``n`` is the epoch or training step of the weights, 0 where a tested checkpoint does not
    say. Evaluate with batch size 1 for iterations that do not depend on padding.
    """

    def __init__(self) -> None:
        self._collector: TraceCollector | None = None
        self._folder: EvaluationFolder | None = None
        self._task: str | None = None
        self._trained: dict[str, int] = {'epoch': 0, 'iter': 0}
        self._weights: dict[str, Any] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember how long the weights were trained."""
        meta = checkpoint.get('meta')
        said = meta if isinstance(meta, dict) else {}
        counts = {k: said.get(k) for k in ('epoch', 'iter')}
        # They name a folder, and a checkpoint may come from anywhere.
        self._trained = {k: n if isinstance(n, int) else 0 for k, n in counts.items()}

    def before_val_epoch(self, runner: Runner) -> None:
        """Open the folder."""
        self._begin(runner, 'val')

    def before_test_epoch(self, runner: Runner) -> None:
        """Open the folder."""
        self._begin(runner, 'test')

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Start collecting."""
        assert self._collector is not None
        self._collector.reset()

    before_test_iter = before_val_iter

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the batch's lines."""
        self._write(runner, runner.val_dataloader, outputs)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write the batch's lines."""
        self._write(runner, runner.test_dataloader, outputs)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Merge the ranks' parts."""
        self._finish(runner, runner.val_dataloader, metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Merge the ranks' parts."""
        self._finish(runner, runner.test_dataloader, metrics)

    def _begin(self, runner: Runner, mode: str) -> None:
        if self._collector is not None:  # an earlier evaluation of this process broke off
            self._collector.detach()
        self._collector = TraceCollector(unwrapped(runner.model))
        trained = {'epoch': runner.epoch, 'iter': runner.iter} if runner.iter else self._trained
        self._weights = {
            'checkpoint': runner.cfg.get('load_from') if mode == 'test' else None,
            **trained,
        }
        # Loops that count train_iters only leave the epoch at 0.
        unit = 'iter' if trained['iter'] and not trained['epoch'] else 'epoch'
        name = f'{mode}_{unit}_{trained[unit]}'
        self._folder = EvaluationFolder(Path(runner.log_dir, 'iterations', name))

    def _write(self, runner: Runner, dataloader: Any, outputs: Any) -> None:
        assert self._collector is not None
        assert self._folder is not None
        model = unwrapped(runner.model)
        images = image_compute(self._collector, len(outputs))
        for sample, compute in zip(outputs, images, strict=True):
            found = sample_record(sample, dataloader.dataset, model)
            self._task = found.task or self._task
            self._folder.write({**found.record, **compute}, found.prediction, found.pngs)

    def _finish(self, runner: Runner, dataloader: Any, metrics: dict[str, float] | None) -> None:
        assert self._collector is not None
        assert self._folder is not None
        dataset = dataloader.dataset
        meta = evaluation_meta(runner, dataset, self._collector, self._task, metrics, self._weights)
        self._collector.detach()
        self._collector = None
        self._folder.publish(len(dataset), meta)
        if is_main_process():
            self._show(runner)

    def _show(self, runner: Runner) -> None:
        """The console's line, the visualizer's scalars and picture."""
        from .log_summary import summarise_log  # matplotlib and scipy: only when needed

        assert self._folder is not None
        try:
            summary = summarise_log(self._folder.path)
        except Exception as error:  # the log is written: a summary must not end a training
            runner.logger.warning(f'the iteration log {self._folder.path} has no summary: {error!r}')
            return
        runner.logger.info(summary.line)
        mode, _, step = self._folder.path.name.split('_')
        scalars = {f'{mode}/{name}': value for name, value in summary.scalars.items()}
        runner.visualizer.add_scalars(scalars, step=int(step))
        if summary.picture is not None:
            runner.visualizer.add_image(f'{mode}_iterations_and_objects', summary.picture, int(step))
