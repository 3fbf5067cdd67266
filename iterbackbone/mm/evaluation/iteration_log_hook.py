"""Logs, for every evaluated image, the iterations it took and the objects it shows."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ...core.validation import check_int
from ...registry import HOOKS
from ...text import cause
from ..traces import TraceCollector, refuse_second, unwrapped
from .budget_runs import BudgetRuns
from .logged_evaluation import LoggedEvaluation

UNKNOWN = {'checkpoint': None, 'epoch': 0, 'iter': 0}  # weights


@HOOKS.register_module()
class IterationLogHook(Hook):
    """Writes ``<work_dir>/<timestamp>/iterations/{val,test}_{epoch|iter}_<n>/``.

    ``records.jsonl`` has a line an image (:class:`~iterbackbone.log.schema.IterationRecord`),
    ``predictions.jsonl`` its true and predicted boxes or files, ``meta.json`` model, data and score.
    The name ends in ``.part`` until the evaluation is complete. Ranks must share ``work_dir``.

    ``n`` is the epoch or training step of the weights, 0 where a checkpoint does not say; a second
    evaluation of that name gets ``_2``, passes over the data such as ``_teacher`` and ``_student``.
    Evaluate with batch size 1 for iterations that do not depend on padding.

    Args:
        gain_images: Draw the panel "Does adapting pay?" of about so many images, evenly spread, which
            also run at four static budgets; 0 for none. See :class:`.budget_runs.BudgetRuns`.
    """

    def __init__(self, gain_images: int = 0) -> None:
        self._gain_images = check_int('gain_images', gain_images, minimum=0)
        self._loaded: dict[str, Any] | None = None  # the weights, unless they are of this training
        self._versions: list[tuple[int, int]] | None = None  # at their last evaluation
        self._collector: TraceCollector | None = None
        self._evaluation: LoggedEvaluation | None = None
        self._budgets: BudgetRuns | None = None

    def before_run(self, runner: Runner) -> None:
        refuse_second(runner, IterationLogHook)  # each evaluation would have two logs

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self._loaded, self._versions = loaded_weights(checkpoint), None

    def before_train(self, runner: Runner) -> None:
        self._stop_listening()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self._loaded, self._versions = None, None

    def before_val_epoch(self, runner: Runner) -> None:
        self._begin(runner, 'val')

    def before_test_epoch(self, runner: Runner) -> None:
        self._begin(runner, 'test')

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self._evaluation.begin_batch(batch_idx)

    before_test_iter = before_val_iter

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._evaluation.write(batch_idx, data_batch, outputs)
        if self._budgets is not None:
            self._budgets.run(batch_idx, data_batch)

    after_test_iter = after_val_iter

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Merge the ranks' parts, and show what they say."""
        self._stop_listening()
        for folder, label in self._evaluation.publish(runner, metrics):
            _show(runner, [folder], label)
        if self._budgets is not None:
            for folders, label in self._budgets.publish(runner):
                _show(runner, folders, label)

    after_test_epoch = after_val_epoch

    def _stop_listening(self) -> None:
        """Also to an evaluation of this process that did not come to its end."""
        if self._collector is not None:
            self._collector.detach()

    def _begin(self, runner: Runner, mode: str) -> None:
        self._stop_listening()
        model = unwrapped(runner.model)
        if not getattr(model, 'prototype_inited', True):
            model.prepare_prototype()  # a retriever's, which it would encode in the first batch
        versions = tensor_versions(model)
        if self._versions not in (None, versions):  # written to, by neither loading nor training
            self._loaded = UNKNOWN
        self._versions = versions
        own = {'checkpoint': None, 'epoch': runner.epoch, 'iter': runner.iter}
        self._collector = TraceCollector(model)
        self._evaluation = LoggedEvaluation(runner, self._collector, mode, self._loaded or own)
        self._budgets = None
        if self._gain_images:
            self._budgets = BudgetRuns(runner, mode, self._evaluation, self._gain_images)


def loaded_weights(checkpoint: dict) -> dict[str, Any]:
    """``checkpoint`` (the file's name), ``epoch`` and ``iter`` of one that mmengine is loading.

    0 where it does not say how long they were trained.
    """
    meta = checkpoint.get('meta')
    said = meta if isinstance(meta, dict) else {}
    # They name a folder, and a checkpoint may come from anywhere.
    trained = {k: said[k] if isinstance(said.get(k), int) else 0 for k in ('epoch', 'iter')}
    return {'checkpoint': _loaded_file(), **trained}


def _loaded_file() -> str | None:
    """mmengine gives hooks a checkpoint's content only, so the caller's frame is read."""
    for frame, _ in traceback.walk_stack(inspect.currentframe()):
        if frame.f_code.co_name == 'load_checkpoint' and 'filename' in frame.f_locals:
            return str(frame.f_locals['filename'])
    return None


def tensor_versions(model: nn.Module) -> list[tuple[int, int]]:
    """They change whenever a parameter or buffer is written to."""
    return [
        (id(tensor), 0 if tensor.is_inference() else tensor._version)
        for tensor in model.state_dict(keep_vars=True).values()
    ]


def _show(runner: Runner, folders: Sequence[Path], label: str) -> None:
    """The line, scalars and picture of one log, or of static budgets' and, last, a policy's."""
    from .summary import summarise_gain, summarise_log  # matplotlib and scipy: only when needed

    *menu, policy = folders
    folder = policy.parent if menu else policy
    try:
        summary = summarise_gain(policy, menu) if menu else summarise_log(policy)
    except Exception as error:  # the log is written: a summary must not end a training
        what = 'shows no gain' if menu else 'has no summary'
        runner.logger.warning(f'the iteration log {folder} {what}: {cause(error)}')
        return
    runner.logger.info(summary.line)
    mode, _, step, *_ = folder.name.split('_')
    prefix = f'{label}.' if label else ''
    scalars = {f'{mode}/{prefix}{name}': value for name, value in summary.scalars.items()}
    runner.visualizer.add_scalars(scalars, step=int(step))
    if summary.picture is not None:
        name = 'does_adapting_pay' if menu else 'iterations_and_objects'
        runner.visualizer.add_image(f'{mode}_{prefix}{name}', summary.picture, int(step))
