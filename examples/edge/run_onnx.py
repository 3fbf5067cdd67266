"""Runs an exported adaptive network on images, a video or a camera, without PyTorch: onnxruntime or
openvino, numpy and Pillow; opencv-python for videos and cameras.

Prints what was found, the iterations of each block and the milliseconds of every image, and at the end
their means and the median time. --full runs every image at all iterations, too, to compare: before or
after, by turns.

--budget and --threshold trade accuracy for time; they are inputs of the same file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from description import printable
from drawing import draw, words
from images import UserError
from runtimes import RUNTIMES
from session import Network, Result
from sources import Frame, Pictures, frames

BAR = 24  # characters


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model', type=Path, help='file by tools/export_onnx.py')
    parser.add_argument(
        'images',
        type=Path,
        nargs='+',
        help='image files and folders of images, or one video or number of a camera',
    )
    parser.add_argument('--runtime', choices=RUNTIMES, help='default: the first that is installed')
    parser.add_argument('--full', action='store_true', help='compare with all iterations')
    parser.add_argument('--budget', type=int, metavar='K', help='at most K iterations a stage')
    parser.add_argument(
        '--threshold', type=float, metavar='T', help='stop once the halting scores add up to T'
    )
    parser.add_argument('--threads', type=int, default=1, help='0 for all cores; default: 1')
    parser.add_argument('--limit', type=int, metavar='N', help='only the first N images')
    parser.add_argument(
        '--out', type=Path, metavar='FOLDER', help='write pictures with the results here'
    )
    parser.add_argument(
        '--score-thr', type=float, default=0.3, help='lowest score of a box; default: 0.3'
    )
    args = parser.parse_args(argv)
    if args.threads < 0:
        parser.error(f'argument --threads: must be at least 0, got {args.threads}')
    cores = os.cpu_count() or 1
    if args.threads > cores:
        parser.error(f'argument --threads: must be at most {cores} here, got {args.threads}')
    if not 0 <= args.score_thr <= 1:
        parser.error(f'argument --score-thr: must be between 0 and 1, got {args.score_thr}')
    if args.limit is not None and args.limit < 1:
        parser.error(f'argument --limit: must be at least 1, got {args.limit}')
    if args.out and not args.out.absolute().parent.is_dir():
        parser.error(f'argument --out: must be in a folder that exists, got {args.out}')
    return args


def progress(done: int, total: int | None, results: list[Result]) -> None:
    """A bar with running means, where somebody watches and the end is known."""
    if not sys.stderr.isatty() or not total:
        return
    filled = BAR * done // total
    iterations = np.mean([r.iterations for r in results]) if results else 0
    milliseconds = np.median([r.milliseconds for r in results]) if results else 0
    bar = '#' * filled + '.' * (BAR - filled)
    so_far = f'mean {iterations:.2f} iterations a block, median {milliseconds:.1f} ms'
    print(f'{bar} {done}/{total}  {so_far}', end='', file=sys.stderr, flush=True)


def clear_progress() -> None:
    """Make room for a line of text where the bar is."""
    if sys.stderr.isatty():
        print('\r\033[K', end='', file=sys.stderr, flush=True)


def summary(results: list[Result], network: Network) -> str:
    """Means, median time and its spread, beside all iterations where those were run."""
    full = np.median([r.full_milliseconds for r in results])
    blocks = np.mean([r.iterations for r in results], axis=0)
    total = [sum(r.iterations) for r in results]
    times = [r.milliseconds for r in results]
    low, middle, high = np.percentile(times, (5, 50, 95))
    gmacs = np.mean([r.macs for r in results]) / 1e9
    beside = f'\n{full:.1f} ms at all iterations, {1e3 / full:.1f} images/s' if full else ''
    return (
        f'{len(results)} images: {" ".join(f"{b:.2f}" for b in blocks)} iterations of at most '
        f'{" ".join(map(str, network.about["max_iterations"]))} a stage, in total {min(total)} to '
        f'{max(total)}\n{middle:.1f} ms an image (median; 5% to 95%: {low:.1f} to {high:.1f}), '
        f'{1e3 / middle:.1f} images/s, {gmacs:.3f} GMACs of the backbone{beside}'
    )


def process(
    frame: Frame, picture: Path | None, network: Network, args: argparse.Namespace, full_first: bool
) -> Result:
    """Run one image, print it and draw it where asked for."""
    image = frame.read()
    order = (True, False) if full_first else (False, True)
    runs = {full: network(image, full) for full in order if args.full or not full}
    result = runs[False]
    iterations = ' '.join(map(str, result.iterations))
    found = words(result, network.about, args.score_thr)
    clear_progress()
    print(f'{printable(frame.name)}  {found}  iterations {iterations}  {result.milliseconds:.1f} ms')
    if picture:
        draw(image, result, network.about, args.score_thr, picture)
    full = runs[True].milliseconds if args.full else 0.0
    # without values: a stream may be long, features large
    return result._replace(values={}, full_milliseconds=full)


def stream(
    found: Iterable[Frame], total: int | None, network: Network, args: argparse.Namespace
) -> list[Result]:
    """Run all images, until interrupted; those that cannot be read are named and left out."""
    results: list[Result] = []
    pictures = Pictures(args.out)
    try:
        for done, frame in enumerate(found, start=1):
            try:
                full_first = done % 2 == 0  # what runs second finds warmer caches
                results.append(process(frame, pictures.path(frame), network, args, full_first))
            except UserError as error:
                clear_progress()
                print(printable(f'skipped: {error}'), file=sys.stderr)
            progress(done, total, results)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
    clear_progress()
    return results


def main(argv: list[str] | None = None) -> int:
    """Returns 0, 1 where no image could be run, 2 where the call was wrong, 141 if nobody reads."""
    args = parse_args(argv)
    try:
        network = Network(args.model, args.threads, args.runtime)
        network.set_budget(args.budget, args.threshold)
        if args.full and network.about['fixed'] is not None:
            raise UserError('--full needs a file that was exported without --fixed')
        found, total = frames(args.images, args.limit, args.out)
        results = stream(found, total, network, args)
        if results:
            print(summary(results, network), flush=True)
    except UserError as error:
        print(printable(f'run_onnx.py: {error}'), file=sys.stderr)
        return 2
    except BrokenPipeError:  # nobody reads on, as with head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell says of a program that SIGPIPE ended
    except OSError as error:
        print(f'run_onnx.py: cannot write {error.filename or args.out}: {error}', file=sys.stderr)
        return 2
    if not results:
        print('run_onnx.py: no image was run', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
