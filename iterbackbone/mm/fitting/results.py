"""Results that are made once, and stay on disk until a fit is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ...tensor_file import save_whole


class Results:
    """Tensors, and tuples of them, by key.

    Args:
        folder: Where they are kept, so that an interrupted fit goes on; None keeps them in memory.
        identity: What they depend on beside the key: checkpoint and images.
    """

    def __init__(self, folder: Path | None, identity: str) -> None:
        self.folder, self.identity = folder, identity
        self._memory: dict[str, Any] = {}

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The result of this key (JSON-ready), made if there is none yet."""
        text = json.dumps([self.identity, key])
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        if name in self._memory:
            return self._memory[name]
        path = None if self.folder is None else self.folder / f'{name}.pt'
        if path is not None and path.exists():
            return torch.load(path, weights_only=True)
        value = make()
        if path is None:
            self._memory[name] = value
            return value
        path.parent.mkdir(parents=True, exist_ok=True)
        save_whole(value, path)
        return value
