"""Which weights an evaluation has: a checkpoint's, or those of this training."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

from mmengine.runner import Runner


class EvaluatedWeights:
    """Follows a Runner that loads, trains and evaluates in any order."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None  # None: of this training

    def note_loading(self, checkpoint: dict) -> None:
        meta = checkpoint.get('meta')
        said = meta if isinstance(meta, dict) else {}
        # They name a folder, and a checkpoint may come from anywhere.
        trained = {k: said[k] if isinstance(said.get(k), int) else 0 for k in ('epoch', 'iter')}
        self._loaded = {'checkpoint': _loaded_file(), **trained}

    def note_training(self) -> None:
        self._loaded = None

    def describe(self, runner: Runner) -> dict[str, Any]:
        """``checkpoint``, ``epoch`` and ``iter``; 0 where nothing says how long they were trained."""
        return self._loaded or {'checkpoint': None, 'epoch': runner.epoch, 'iter': runner.iter}


def _loaded_file() -> str | None:
    """The file's name: mmengine gives hooks its content only, so the caller's frame is read."""
    for frame, _ in traceback.walk_stack(inspect.currentframe()):
        if frame.f_code.co_name == 'load_checkpoint' and 'filename' in frame.f_locals:
            return str(frame.f_locals['filename'])
    return None
