"""Files of ``torch.save`` that are whole or not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from .files import whole_file


def save_whole(value: Any, path: Path) -> None:
    """``torch.save`` by whole_file; OSError names the file, where torch has an error of its own."""
    content = io.BytesIO()
    torch.save(value, content)
    with whole_file(path) as file:
        file.write(content.getbuffer())
