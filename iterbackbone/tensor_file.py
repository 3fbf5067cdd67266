"""Files of ``torch.save`` that are whole or not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from .files import whole_file


def save_whole(value: Any, path: Path) -> None:
    """``torch.save``, see :func:`~iterbackbone.files.whole_file`.

    Raises:
        OSError: naming the file; torch has an error of its own for a full disk.
    """
    content = io.BytesIO()
    torch.save(value, content)
    with whole_file(path) as file:
        file.write(content.getbuffer())
