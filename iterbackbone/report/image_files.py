"""Image files that a log names: which of them are opened.

A log may come from anywhere. Formats whose decoders run other programs, pipes and devices, and files
outside the folders that the user gave are refused; so are images of very many pixels, by Pillow.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..files import IMAGE_FORMATS

Folders = Path | Sequence[Path]


def inside(folders: Folders, name: Any) -> Path | None:
    """A file that a log names, symbolic links followed; relative names are of the first folder.

    None where it is no name, or lies in none of the folders.
    """
    if not isinstance(name, str) or not name:
        return None
    folders = [folders] if isinstance(folders, Path) else folders
    try:
        path = (folders[0] / name).resolve()
        return path if any(path.is_relative_to(folder.resolve()) for folder in folders) else None
    except (OSError, ValueError, RuntimeError):  # such as a null byte or a circle of links
        return None


def opened(path: Path, formats: Sequence[str] = IMAGE_FORMATS) -> Image.Image:
    """The image, whose pixels are not read yet; Pillow's errors are of many types."""
    if not path.is_file():  # opening a pipe waits for its other end
        raise ValueError(f'{path} is no regular file')
    return Image.open(path, formats=formats)
