"""What SOURCE is: pictures or a video, each checked before a model is loaded."""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from ...files import IMAGE_TYPES
from .panel import printable

MAGIC = '*?['
TYPES = ', '.join(IMAGE_TYPES)


class Video(NamedTuple):
    """An opened video or camera."""

    capture: cv2.VideoCapture
    first: np.ndarray  # frame, read already
    name: str  # of the output
    live: bool = False  # a camera: it does not wait

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
    path = Path(text)
    cv2.setLogLevel(0)  # its lines would hide ours
    if text.isdecimal() and len(text) < 10 and not path.exists():  # OpenCV takes 32 bits
        return _opened(int(text), cv2.CAP_ANY, f'camera {text}', 'camera', live=True)
    if text and path.is_dir():
        return _pictures(path.iterdir(), f'folder {text} has no picture ({TYPES})')
    if not path.exists() and any(c in text for c in MAGIC):
        found = glob.glob(text, recursive=True)
        return _pictures(map(Path, found), f'no picture ({TYPES}) is named {text}')
    if not path.is_file():
        raise ValueError(f'SOURCE must be a file, folder, glob or camera number, got {text!r}')
    if path.suffix.lower() in IMAGE_TYPES:
        read_picture(path)
        return [path]
    message = f'{text} is no picture ({TYPES}) and no video'
    return _opened(ffmpeg_path(path), cv2.CAP_FFMPEG, message, path.stem)


def _pictures(paths: Iterable[Path], otherwise: str) -> list[Path]:
    files = sorted(p for p in paths if p.suffix.lower() in IMAGE_TYPES and p.is_file())
    if not files:
        raise ValueError(otherwise)
    return files


def _opened(source: str | int, backend: int, what: str, name: str, live: bool = False) -> Video:
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    capture = cv2.VideoCapture(source, backend)
    read, first = capture.read() if capture.isOpened() else (False, None)
    if not read:
        raise ValueError(f'{what}: no frame can be read')
    return Video(capture, first, name, live)


def ffmpeg_path(path: Path) -> str:
    """Absolute: FFmpeg takes what precedes a colon for a protocol. ValueError: OpenCV would crash."""
    absolute = str(path.absolute())
    if printable(absolute) != absolute:
        raise ValueError(f'the path of a video must be UTF-8, got {printable(absolute)}')
    return absolute


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8, BGR, turned as EXIF says; ValueError if it is no picture."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise ValueError(f'{path} cannot be read: {error}') from None
    picture = None
    if content[8:12].tobytes() == b'WEBP':
        picture = _read_webp(content.tobytes())
    elif content.size:
        with suppress(cv2.error):  # of one too large
            picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f'{path} is no picture that OpenCV can read')
    return picture


def _read_webp(content: bytes) -> np.ndarray | None:
    """By Pillow: OpenCV's decoder passes over EXIF in WebP."""
    try:
        with Image.open(io.BytesIO(content), formats=('WEBP',)) as file:
            upright = ImageOps.exif_transpose(file).convert('RGB')
            return np.ascontiguousarray(np.asarray(upright)[..., ::-1])
    except Exception:  # a broken file raises almost anything
        return None
