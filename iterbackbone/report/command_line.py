"""What the tools that read logs share: loading, messages, the options of a gain's measurement."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from ..text import printable
from .evaluation import Evaluation, load_evaluations
from .gain_measurement import measure_evaluations
from .gain_panel import MeasuredGains


def load(folders: Sequence[Path], names: list[str] | None = None) -> list[Evaluation]:
    """Read evaluations' folders, as :func:`load_evaluations`, and print their first problems."""
    evaluations = load_evaluations(list(folders), names)
    for evaluation in evaluations:
        for problem in evaluation.problems[:20]:
            print(printable(f'problem: {problem}'), file=sys.stderr)
    return evaluations


def add_gain_options(parser: argparse.ArgumentParser, required: bool) -> None:
    """``--menu`` and what belongs to it."""
    paths = dict(nargs='+', default=[], type=Path)
    folders = dict(paths, metavar='FOLDER')
    parser.add_argument('--menu', required=required, help='evaluations at static budgets', **folders)
    parser.add_argument(
        '--calibration-menu',
        help='the same budgets on other images, which choose the envelope; without them half of the '
        'images do',
        **folders,
    )
    parser.add_argument(
        '--more-static', help='evaluations at further depths, for the shuffles', **folders
    )
    parser.add_argument(
        '--groups',
        type=Path,
        metavar='FILE',
        help='JSON object from img_id, or from img_path where img_ids repeat, to the source image',
    )
    parser.add_argument(
        '--score', help='top1, ap50, map, mean_iou or a field of the records; by default of the task'
    )
    parser.add_argument('--other-seeds', metavar='FILE', help='gains of other trainings', **paths)
    parser.add_argument(
        '--rest-macs',
        type=float,
        default=0.0,
        help='MACs an image of neck and head, which the log does not hold; they count in the shares; '
        'default: %(default)g',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the split and the resamples; default: %(default)s'
    )


def measure_gains(
    args: argparse.Namespace, policies: list[Evaluation], menu: list[Evaluation]
) -> tuple[MeasuredGains, list[MeasuredGains]]:
    """Gains of this training by the options, with the verdict on all, and gains of the other ones."""
    others = [MeasuredGains.read(path) for path in args.other_seeds]
    measured = measure_evaluations(
        policies,
        menu,
        calibration_menu=load(args.calibration_menu) or None,
        more_static=load(args.more_static),
        other_seeds=others,
        groups=_read_groups(args.groups) if args.groups else None,
        score=args.score,
        rest_macs=args.rest_macs,
        seed=args.seed,
        progress=partial(tqdm, desc='measuring', delay=2, leave=False, disable=None),
    )
    return measured, others


def _read_groups(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueError(f'--groups: {path} must be an object from img_id to source: {error}') from None
