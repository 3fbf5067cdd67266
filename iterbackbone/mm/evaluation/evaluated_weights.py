"""Which weights an evaluation has: a checkpoint's, those of this training, or unknown ones."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

from torch import nn

UNKNOWN = {'checkpoint': None, 'epoch': 0, 'iter': 0}


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
