"""What SOURCE is: pictures, or a video that can be read."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...files import IMAGE_TYPES

TYPES = ', '.join(IMAGE_TYPES)
CAMERA_RATE = 10.0  # pages per second of a recording


class Video(NamedTuple):
    """An opened video or camera."""

    capture: cv2.VideoCapture
    first: np.ndarray  # frame, read already
    name: str  # of the output
    live: bool = False  # a camera: it does not wait

    @property
    def rate(self) -> float:
        """Pages per second of the output: nearly those of the file, 25 where it does not say."""
        rate = CAMERA_RATE if self.live else self.capture.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else 25.0
        # In MPEG-4 a rate is a fraction of 16 bits, and OpenCV's denominators are powers of ten.
        return round(rate, 3 if rate < 65 else 2 if rate < 655 else 0)

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
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    if text.isdecimal() and len(text) < 10 and not path.exists():  # OpenCV takes 32 bits
        return _opened(cv2.VideoCapture(int(text)), f'camera {text}', 'camera', live=True)
    if path.is_file() and path.suffix.lower() not in IMAGE_TYPES:
        capture = cv2.VideoCapture(absolute(path), cv2.CAP_FFMPEG)
        return _opened(capture, f'{text} is no picture ({TYPES}) and no video', path.stem)
    if path.is_file():
        found = [path]
    elif text and path.is_dir():
        found = path.iterdir()
    else:
        found = map(Path, glob.glob(text, recursive=True))
    files = sorted(p for p in found if p.suffix.lower() in IMAGE_TYPES and p.is_file())
    if not files:
        raise ValueError(
            f'SOURCE must be a picture ({TYPES}), a folder or glob of some, a video, or the number of '
            f'a camera, got {text!r}'
        )
    return files


def _opened(capture: cv2.VideoCapture, what: str, name: str, live: bool = False) -> Video:
    read, first = capture.read()
    if not read:
        raise ValueError(f'{what}: no frame can be read')
    return Video(capture, first, name, live)


def absolute(path: Path) -> str:
    """As FFmpeg takes it for no protocol. ValueError where it is not UTF-8: OpenCV would crash."""
    whole = str(path.absolute())
    if any('\ud800' <= letter <= '\udfff' for letter in whole):
        raise ValueError(f'paths of pictures and videos must be UTF-8, got {whole!a}')
    return whole


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8, BGR, turned as EXIF says but in WebP; ValueError if it is no picture."""
    absolute(path)
    picture = None
    with suppress(cv2.error):  # of an empty file, or one too large
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f'{path} is no picture that OpenCV can read')
    return picture
