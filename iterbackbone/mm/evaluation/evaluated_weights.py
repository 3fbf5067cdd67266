"""Which weights an evaluation has: a checkpoint's, or those of this training."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

from mmengine.runner import Runner


class EvaluatedWeights:
    """Follows a Runner that loads, trains and evaluates in any order."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {'checkpoint': None, 'epoch': 0, 'iter': 0}
        self._step: int | None = 0  # of the training when the weights became these; None: not known yet

    def note_loading(self, checkpoint: dict) -> None:
        """Remember a checkpoint that is about to be loaded."""
        meta = checkpoint.get('meta')
        said = meta if isinstance(meta, dict) else {}
        # They name a folder, and a checkpoint may come from anywhere.
        trained = {k: said[k] if isinstance(said.get(k), int) else 0 for k in ('epoch', 'iter')}
        self._fields = {'checkpoint': _loaded_file(), **trained}
        self._step = None  # resuming moves the runner's step afterwards

    def note_step(self, runner: Runner) -> None:
        """Of weights that were loaded: call it where the training begins."""
        if self._step is None:
            self._step = runner.iter

    def describe(self, runner: Runner) -> dict[str, Any]:
        """``checkpoint``, ``epoch`` and ``iter`` of the model's weights.

        The checkpoint is None for weights of this training. Epoch and iter are 0 where nothing says how
        long the weights were trained.
        """
        self.note_step(runner)
        if self._step != runner.iter:
            self._fields = {'checkpoint': None, 'epoch': runner.epoch, 'iter': runner.iter}
            self._step = runner.iter
        return dict(self._fields)


def _loaded_file() -> str | None:
    """The file's name: mmengine gives hooks its content only, so the caller's frame is read."""
    for frame, _ in traceback.walk_stack(inspect.currentframe()):
        if frame.f_code.co_name == 'load_checkpoint' and 'filename' in frame.f_locals:
            return str(frame.f_locals['filename'])
    return None
