"""Files of the repository's root, and files that are whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

PACKAGE = Path(__file__).parent
IMAGE_FORMATS = ('BMP', 'JPEG', 'PNG', 'TIFF', 'WEBP')  # Pillow's; of others some start a program
IMAGE_TYPES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')


def same_place(first: Path | str, second: Path | str) -> bool:
    """Whether two paths lead to one place, there or not; Path.resolve fails on a circle of links."""
    return os.path.realpath(first) == os.path.realpath(second)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Let an OSError name this file: that of a full disk names none, others a temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def check_writable(path: Path) -> None:
    """Raise an OSError that names ``path``, a file to come or a folder, where it cannot be written."""
    with named_errors(path), tempfile.TemporaryFile(dir=path if path.is_dir() else path.parent):
        pass


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes its name once it is complete.

    It is written beside ``path``, or what this links to, as ``.part`` and renamed at the end, so that
    neither an error nor a kill ever replaces a good file by half of one. Its permissions stay.
    """
    target = Path(os.path.realpath(path))  # Path.resolve: a RuntimeError where links go in a circle
    if target.exists() and not target.is_file():  # a device would become one
        raise OSError(errno.EINVAL, 'must be a regular file', str(path))
    part = target.with_name(f'{target.name}.part')
    try:
        with open(part, 'wb') as file:
            if target.exists():
                shutil.copymode(target, part)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(part)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files by name that belong together, as :func:`whole_file` does: all, or none.

    The ``folder`` is made if absent. A kill while they take their names never leaves the last of them
    from an earlier time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    *_, last = contents
    with ExitStack() as files:  # renames them in order
        for name in reversed(list(contents)):
            file = files.enter_context(whole_file(folder / name))
            file.write(contents[name])
            file.flush()
            os.fsync(file.fileno())  # what fails does so before anything is replaced
        Path(os.path.realpath(folder / last)).unlink(missing_ok=True)


def files_below(folder: Path, *ends: str) -> list[Path]:
    """Files below ``folder``, by name, whose paths end so in lower case; links in a circle are cut."""
    files = []
    for top, folders, names in os.walk(folder, followlinks=True):
        here = Path(os.path.realpath(top))
        folders[:] = [f for f in folders if not here.is_relative_to(os.path.realpath(here / f))]
        files += [Path(top, name) for name in names if f'/{name}'.lower().endswith(ends)]
    return sorted(files)


def image_files(folder: Path, count: int) -> list[Path]:
    """At most ``count`` images in ``folder`` and below, evenly spaced by name; ValueError for none."""
    files = [file for file in files_below(folder, *IMAGE_TYPES) if file.is_file()]
    if not files:
        raise ValueError(f'--images: {folder} has no image ({", ".join(IMAGE_TYPES)})')
    count = min(count, len(files))
    return [files[i * len(files) // count] for i in range(count)]
