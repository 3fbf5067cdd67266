"""Arguments that the benchmarks share."""

from __future__ import annotations

import argparse


def image_size(text: str) -> tuple[int, int]:
    """``600x800`` -> (600, 800): height and width in pixels.

    Raises:
        argparse.ArgumentTypeError: it is no such text.
    """
    height, _, width = text.partition('x')
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f'{text!r} is no HxW in pixels, such as 600x800')
    return int(height), int(width)


def add_sizes(parser: argparse.ArgumentParser, name: str, *default: str) -> None:
    """An option of one or several HxW."""
    parser.add_argument(
        name, nargs='+', type=image_size, metavar='HxW', default=[image_size(d) for d in default]
    )
