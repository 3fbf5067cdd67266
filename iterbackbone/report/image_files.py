"""Image files that a log names: which of them are opened, and how much of them is read.

A log may come from anywhere. Formats whose decoders run other programs, pipes and devices, files
outside the folders that the user gave, and images of very many pixels are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from ..files import IMAGE_FORMATS

MAX_PIXELS = 50_000_000  # of one image: a second and 300 MB
MAX_BYTES = 500_000_000  # of one file: TIFF's tags are read whole
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


@contextmanager
def opened(path: Path, formats: Sequence[str] = IMAGE_FORMATS) -> Iterator[Image.Image]:
    """The image, whose pixels are not read yet; Pillow's errors are of many types.

    ValueError where it is no regular file, or larger than ``MAX_PIXELS`` or ``MAX_BYTES``.
    """
    if not path.is_file():  # opening a pipe waits for its other end
        raise ValueError(f'{path} is no regular file')
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f'{path} must have at most {MAX_BYTES} bytes')
    with Image.open(path, formats=formats) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f'{path} must have at most {MAX_PIXELS} pixels, it has {image.size}')
        yield image
