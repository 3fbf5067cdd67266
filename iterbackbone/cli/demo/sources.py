"""What SOURCE is: pictures or a video, each checked before a model is loaded."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ...files import IMAGE_TYPES

MAGIC = '*?['


class Video(NamedTuple):
    """An opened video or camera."""

    capture: cv2.VideoCapture
    first: np.ndarray  # frame, read already
    name: str  # of the output

    @property
    def rate(self) -> float:
        """Frames per second; 25 where the source does not say."""
        rate = self.capture.get(cv2.CAP_PROP_FPS)
        return rate if 0 < rate < 1000 else 25.0

    @property
    def length(self) -> int | None:
        """Frames, as the file's header says; None of a camera."""
        count = int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return count if count > 0 else None

    def frames(self) -> Iterator[np.ndarray]:
        """(H, W, 3) uint8, BGR."""
        read, frame = True, self.first
        while read:
            yield frame
            read, frame = self.capture.read()


def open_source(text: str) -> list[Path] | Video:
    """The pictures, or the opened video; ValueError where there is neither."""
    if text.isdecimal():
        return _opened(int(text), f'camera {text}')
    path = Path(text)
    if text and path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_TYPES and p.is_file())
        return _some(files, f'folder {text} has no picture ({", ".join(IMAGE_TYPES)})')
    if not path.exists() and any(c in text for c in MAGIC):
        files = sorted(map(Path, glob.glob(text, recursive=True)))
        files = [p for p in files if p.suffix.lower() in IMAGE_TYPES and p.is_file()]
        return _some(files, f'no picture ({", ".join(IMAGE_TYPES)}) is named {text}')
    if not path.is_file():
        raise ValueError(f'SOURCE must be a file, folder, glob or camera number, got {text!r}')
    if path.suffix.lower() in IMAGE_TYPES:
        read_picture(path)
        return [path]
    return _opened(str(path), f'{text} is no picture ({", ".join(IMAGE_TYPES)}) and no video')


def _some(files: list[Path], otherwise: str) -> list[Path]:
    if not files:
        raise ValueError(otherwise)
    return files


def _opened(source: Any, name: str) -> Video:
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # their lines would hide ours
    cv2.setLogLevel(0)
    backend = cv2.CAP_FFMPEG if isinstance(source, str) else cv2.CAP_ANY
    capture = cv2.VideoCapture(source, backend)
    read, first = capture.read() if capture.isOpened() else (False, None)
    if not read:
        raise ValueError(f'{name}: no frame can be read')
    return Video(capture, first, Path(source).stem if isinstance(source, str) else 'camera')


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8, BGR, turned as EXIF says; ValueError if it is no picture."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise ValueError(f'{path} cannot be read: {error}') from None
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None:
        raise ValueError(f'{path} is no picture that OpenCV can read')
    return picture
