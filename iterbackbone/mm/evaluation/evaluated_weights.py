"""Which weights an evaluation has: a checkpoint's, or those of this training."""

from __future__ import annotations

import inspect
import traceback
from typing import Any


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
