"""What the parsers of commands and tools share: kinds of arguments, and errors in one line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..files import check_writable, same_place
from ..text import printable


def positive(text: str) -> int:
    """A number of images, processes, pixels."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {value}')
    return value


def folder(text: str) -> Path:
    """One that exists."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f'must be a folder, got {text}')
    return Path(text)


def new_file(text: str) -> Path:
    """A file to write, which may exist; what fails is to fail at once."""
    path = Path(text)
    with suppress(OSError):
        check_writable(path)
        if not os.path.isdir(path):
            return path
    raise argparse.ArgumentTypeError(f'must be a file in a folder that can be written to, got {text!r}')


def new_folder(text: str) -> Path:
    """A folder to write to, made where it is missing."""
    path = Path(text).absolute()
    there = next(each for each in (path, *path.parents) if os.path.lexists(each))
    with suppress(OSError):
        if text and os.path.isdir(there):
            check_writable(there)
            return Path(text)
    raise argparse.ArgumentTypeError(f'must be a folder, or one that can be made, got {text!r}')


def check_out(parser: argparse.ArgumentParser, out: Path, **inputs: Path | str) -> None:
    """End the program where --out is one of its ``inputs``, by the names that help texts give them."""
    for name, given in inputs.items():
        if same_place(out, given):
            parser.error(f'argument --out: must be another file than {name}, got {out}')


@contextmanager
def one_line(
    parser: argparse.ArgumentParser, argument: str = '', *more: type[Exception]
) -> Iterator[None]:
    """End the program with one line where a ValueError, OSError or one of ``more`` is raised."""
    try:
        yield
    except (ValueError, OSError, *more) as error:
        parser.error((f'argument {argument}: ' if argument else '') + printable(str(error)))
