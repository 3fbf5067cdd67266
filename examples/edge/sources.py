"""Where images come from, files, a video or a camera, and where their pictures go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from images import TYPES, UserError, find, load


class Frame(NamedTuple):
    """An image to come.

    Attributes:
        name: To print.
        stem: Of its picture's name.
        read: Returns it, (H, W, 3) uint8 in RGB, or raises UserError.
    """

    name: str
    stem: str
    read: Callable[[], np.ndarray]


def frames(
    sources: list[Path], limit: int | None, out: Path | None
) -> tuple[Iterable[Frame], int | None]:
    """The images of files and folders, or of one video or camera, and how many if that is known.

    Raises:
        UserError: there is none, or pictures in ``out`` could replace them.
    """
    if len(sources) == 1 and _streams(sources[0]):
        return islice(_stream(sources[0]), limit), limit
    paths = find(sources, limit)
    if out and out.resolve() in {path.resolve().parent for path in paths}:
        raise UserError(f'--out {out} holds images that pictures could replace: name another folder')
    return [Frame(path.name, path.stem, partial(load, path)) for path in paths], len(paths)


def _streams(source: Path) -> bool:
    """A file that is not named as an image is a video."""
    return _is_camera(source) or (source.is_file() and source.suffix.lower() not in TYPES)


def _is_camera(source: Path) -> bool:
    name = str(source)
    return name.isdecimal() and len(name) < 10 and not source.exists()  # OpenCV takes 32 bits


def _stream(source: Path) -> Iterator[Frame]:
    """Opened at once, so that errors come before the first frame."""
    try:
        import cv2
    except ImportError:
        raise UserError('videos and cameras need: pip install opencv-python-headless') from None
    cv2.setLogLevel(0)  # what fails is said below
    # absolute: FFmpeg takes what precedes a colon for a protocol
    capture = cv2.VideoCapture(int(str(source)) if _is_camera(source) else str(source.absolute()))
    if not capture.isOpened():
        raise UserError(f'{source} cannot be opened as a video or camera')

    def read() -> Iterator[Frame]:
        number = 0
        try:
            while (found := capture.read())[0]:
                number += 1
                pixels = np.ascontiguousarray(found[1][:, :, ::-1])
                name = f'{source.stem}-{number:06}'
                yield Frame(name, name, lambda pixels=pixels: pixels)
        finally:
            capture.release()

    return read()


class Pictures:
    """Paths of pictures: images of different folders may share a name.

    Args:
        out: Folder, which is made; None for no pictures.

    Raises:
        UserError: it cannot be a folder.
    """

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.names: set[str] = set()
        self.numbers: dict[str, int] = {}  # the last one of each stem
        try:
            if out:
                out.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f'--out {out} cannot be a folder: {error.strerror}') from None

    def path(self, frame: Frame) -> Path | None:
        """Of a frame's picture."""
        if self.out is None:
            return None
        name, number = frame.stem, self.numbers.get(frame.stem, 1)
        while name in self.names:
            number += 1
            name = f'{frame.stem}-{number}'
        self.names.add(name)
        self.numbers[frame.stem] = number
        return self.out / f'{name}.png'
