"""Runs an exported adaptive network on images, without PyTorch: onnxruntime, numpy and Pillow only.

Prints what was found, the iterations of each block and the milliseconds of every image, and at the end
the means. --budget and --threshold trade accuracy for time; they are inputs of the same file.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from description import printable
from drawing import draw, words
from images import UserError, find, load
from session import Network, Result

BAR = 24  # characters


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model', type=Path, help='file by tools/export_onnx.py')
    parser.add_argument('images', type=Path, nargs='+', help='image files and folders of images')
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


def progress(done: int, total: int, results: list[Result]) -> None:
    """A bar with running means, where somebody watches."""
    if not sys.stderr.isatty():
        return
    filled = BAR * done // total
    iterations = np.mean([r.iterations for r in results]) if results else 0
    milliseconds = np.mean([r.milliseconds for r in results]) if results else 0
    bar = '#' * filled + '.' * (BAR - filled)
    means = f'{iterations:.2f} iterations a block, {milliseconds:.1f} ms'
    print(f'{bar} {done}/{total}  mean {means}', end='', file=sys.stderr, flush=True)


def clear_progress() -> None:
    """Make room for a line of text where the bar is."""
    if sys.stderr.isatty():
        print('\r\033[K', end='', file=sys.stderr, flush=True)


def summary(results: list[Result], network: Network) -> str:
    """Means and spread over all images."""
    blocks = np.mean([r.iterations for r in results], axis=0)
    total = [sum(r.iterations) for r in results]
    times = np.array([r.milliseconds for r in results])
    low, high = np.percentile(times, (5, 95))
    gmacs = np.mean([r.macs for r in results]) / 1e9
    return (
        f'{len(results)} images: {" ".join(f"{b:.2f}" for b in blocks)} iterations of at most '
        f'{" ".join(map(str, network.about["max_iterations"]))} a stage, in total {min(total)} to '
        f'{max(total)}\n{times.mean():.1f} ms an image (5% to 95%: {low:.1f} to {high:.1f}), '
        f'{1e3 / times.mean():.1f} images/s, {gmacs:.3f} GMACs of the backbone'
    )


def pictures(paths: list[Path], out: Path | None) -> list[Path | None]:
    """Where each image's picture goes: images of different folders may share a name.

    Raises:
        UserError: it cannot be a folder, or pictures could replace images.
    """
    if out is None:
        return [None] * len(paths)
    if out.resolve() in {path.resolve().parent for path in paths}:
        raise UserError(f'--out {out} holds images that pictures could replace: name another folder')
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f'--out {out} cannot be a folder: {error.strerror}') from None
    names: dict[str, None] = {}
    for path in paths:
        name, number = path.stem, 2
        while name in names:
            name, number = f'{path.stem}-{number}', number + 1
        names[name] = None
    return [out / f'{name}.png' for name in names]


def process(path: Path, picture: Path | None, network: Network, args: argparse.Namespace) -> Result:
    """Run one image, print it and draw it where asked for."""
    image = load(path)
    result = network(image)
    iterations = ' '.join(map(str, result.iterations))
    found = words(result, network.about, args.score_thr)
    clear_progress()
    print(f'{printable(path.name)}  {found}  iterations {iterations}  {result.milliseconds:.1f} ms')
    if picture:
        draw(image, result, network.about, args.score_thr, picture)
    return result


def stream(
    paths: list[Path], targets: list[Path | None], network: Network, args: argparse.Namespace
) -> list[Result]:
    """Run all images, until interrupted; those that cannot be read are named and left out."""
    results: list[Result] = []
    try:
        for done, (path, picture) in enumerate(zip(paths, targets, strict=True), start=1):
            try:
                result = process(path, picture, network, args)
                results.append(result._replace(values={}))  # a stream may be long, features large
            except UserError as error:
                clear_progress()
                print(printable(f'skipped: {error}'), file=sys.stderr)
            progress(done, len(paths), results)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
    clear_progress()
    return results


def main(argv: list[str] | None = None) -> int:
    """Returns 0, 1 where no image could be run, 2 where the call was wrong."""
    args = parse_args(argv)
    try:
        network = Network(args.model, args.threads)
        network.set_budget(args.budget, args.threshold)
        paths = find(args.images, args.limit)
        targets = pictures(paths, args.out)
    except UserError as error:
        print(printable(f'run_onnx.py: {error}'), file=sys.stderr)
        return 2
    try:
        results = stream(paths, targets, network, args)
    except BrokenPipeError:  # nobody reads on, as with head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f'run_onnx.py: cannot write {error.filename or args.out}: {error}', file=sys.stderr)
        return 2
    if not results:
        print('run_onnx.py: no image was run', file=sys.stderr)
        return 1
    print(summary(results, network))
    return 0


if __name__ == '__main__':
    sys.exit(main())
