"""Which weights an evaluation has: a checkpoint's, those of this training, or unknown ones."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

from mmengine.runner import Runner
from torch import nn

from ..traces import unwrapped

UNKNOWN = {'checkpoint': None, 'epoch': 0, 'iter': 0}


class EvaluatedWeights:
    """Follows a Runner that loads, trains and evaluates in any order."""

    def __init__(self) -> None:
        self._fields = UNKNOWN
        self._step: int | None = 0  # of the training when the weights became these; None: not known yet
        self._versions: list[tuple[int, int]] | None = None  # at their first evaluation

    def note_loading(self, checkpoint: dict) -> None:
        """Remember a checkpoint that is about to be loaded."""
        meta = checkpoint.get('meta')
        said = meta if isinstance(meta, dict) else {}
        # They name a folder, and a checkpoint may come from anywhere.
        trained = {k: said[k] if isinstance(said.get(k), int) else 0 for k in ('epoch', 'iter')}
        self._fields = {'checkpoint': _loaded_file(), **trained}
        self._step, self._versions = None, None  # resuming moves the runner's step afterwards

    def note_step(self, runner: Runner) -> None:
        """Of weights that were loaded: call it where the training or an evaluation begins."""
        if self._step is None:
            self._step = runner.iter

    def describe(self, runner: Runner) -> dict[str, Any]:
        """``checkpoint``, ``epoch`` and ``iter`` of the weights the model has now.

        The checkpoint is None for weights of this training. Epoch and iter are 0 where
        nothing says how long the weights were trained.
        """
        self.note_step(runner)
        versions = _versions(unwrapped(runner.model))
        if self._step != runner.iter:
            self._fields = {'checkpoint': None, 'epoch': runner.epoch, 'iter': runner.iter}
            self._step, self._versions = runner.iter, None
        elif self._versions not in (None, versions):  # written to, by neither loading nor training
            self._fields = UNKNOWN
        self._versions = versions
        return dict(self._fields)


def _loaded_file() -> str | None:
    """The file's name: mmengine gives hooks its content only, so the caller's frame is read."""
    for frame, _ in traceback.walk_stack(inspect.currentframe()):
        if frame.f_code.co_name == 'load_checkpoint' and 'filename' in frame.f_locals:
            return str(frame.f_locals['filename'])
    return None


def _versions(model: nn.Module) -> list[tuple[int, int]]:
    """Change whenever a parameter or buffer is written to."""
    return [
        (id(tensor), 0 if tensor.is_inference() else tensor._version)
        for tensor in model.state_dict(keep_vars=True).values()
    ]
