"""Writes a trained classifier, segmentor or detector with its adaptive loops as one ONNX file.

The file stops early by itself and takes a budget as an input, max_iterations. It is compared with
PyTorch before it is written. Classifiers, segmentors and most detectors are exported whole, others
up to their features.
"""

import argparse
import statistics
import sys
from pathlib import Path

import torch
from mmengine.config import DictAction

from iterbackbone.cli.arguments import check_out, folder, new_file, one_line, positive
from iterbackbone.export.onnx.graph import OPSETS, save
from iterbackbone.export.onnx.model_file import load_image
from iterbackbone.export.onnx.parity import SHARES, compare
from iterbackbone.export.onnx.runtime import RUNTIMES, open_session, settings
from iterbackbone.files import image_files
from iterbackbone.mm.configs import pipeline_size, read_config, trained_model
from iterbackbone.mm.export.exported import exported, image_steps, noise, onnx_model
from iterbackbone.mm.traces import iterative_modules
from iterbackbone.timing import forward_seconds

NOISE_SIZE, NOISE_IMAGES = (224, 224), 3


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path, help='config file path')
    parser.add_argument('checkpoint', help='a file, or iterbackbone://NAME')
    parser.add_argument('--out', type=new_file, required=True, metavar='FILE', help='what to write')
    parser.add_argument(
        '--fixed',
        type=positive,
        metavar='K',
        help='compute K iterations a stage (or all, if fewer) without a loop, for runtimes that have '
        'none: the time no longer adapts to the image',
    )
    parser.add_argument(
        '--opset', type=int, default=20, help=f'{OPSETS[0]} to {OPSETS[1]}; default: 20'
    )
    parser.add_argument(
        '--images', type=folder, metavar='FOLDER', help='compare on these instead of noise'
    )
    parser.add_argument(
        '--num-images', type=positive, default=8, metavar='N', help='taken evenly; default: 8'
    )
    parser.add_argument(
        '--runtime', choices=RUNTIMES, default=RUNTIMES[0], help='what compares and times; on the CPU'
    )
    parser.add_argument('--threads', type=positive, default=1, help='of the timing; default: 1')
    parser.add_argument('--rounds', type=rounds, default=10, help='of the timing; default: 10')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, key=value',
    )
    args = parser.parse_args(argv)
    if not OPSETS[0] <= args.opset <= OPSETS[1]:
        parser.error(f'argument --opset: must be between {OPSETS[0]} and {OPSETS[1]}, got {args.opset}')
    check_out(parser, args.out, CONFIG=args.config, CHECKPOINT=args.checkpoint)
    return parser, args


def rounds(text):
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f'must be at least 2, for a spread, got {value}')
    return value


def reference_of(module):
    """For :func:`iterbackbone.export.onnx.parity.compare`."""

    def reference(image):
        outputs, margin = module.reference(torch.from_numpy(image))
        return {name: value.numpy() for name, value in outputs.items()}, margin

    return reference


def report_outputs(module):
    print(f'exported     {module.task}: {", ".join(module.outputs)}')
    if module.reason:
        print(f'no boxes     {module.reason}')


def report_parity(parity, count):
    print(f'compared     {count} images; same iterations for {parity.same_iterations:.1%} of them')
    for name, error in parity.worst().items():
        what = SHARES.get(name, 'largest relative difference')
        print(f'  {name:<12} {what} {error:.1e}')


def report_size(path, module):
    weights = sum(p.numel() * p.element_size() for p in module.model.parameters())
    size = path.stat().st_size
    print(f'size         {size / 1e6:.2f} MB; parameters of the whole model {weights / 1e6:.2f} MB')


def report_latency(session, image, module, args):
    feeds = settings(session, image, module.limits)
    runs = {name: lambda feed=feed: session.run(None, feed) for name, feed in feeds.items()}
    iterations = {name: run()[-2].mean() for name, run in runs.items()}
    threads = f'{args.threads} thread{"s" * (args.threads > 1)}'
    print(f'latency      {args.runtime}, CPU, {threads}, {image.shape[2]}x{image.shape[3]} pixels')
    for name, seconds in forward_seconds(runs, args.rounds, args.threads).items():
        low, median, high = (1e3 * x for x in statistics.quantiles(seconds, n=4, method='inclusive'))
        print(
            f'  {name:<12} {median:.1f} ms [{low:.1f}, {high:.1f}], '
            f'{iterations[name]:.2f} iterations a block'
        )


def main(argv=None):
    parser, args = parse_args(argv)
    with one_line(parser, '', TypeError, ImportError):
        cfg = read_config(args.config, args.cfg_options)
        model, checkpoint = trained_model(cfg, args.checkpoint, 'cpu')
        meta = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
        fixed = args.fixed
        if fixed:
            for module in iterative_modules(model):
                caps = module.budget.caps or (fixed,) * len(module.iterative_stages())
                caps = tuple(min(fixed, cap) for cap in caps)
                module.use_budget(module.budget._replace(caps=caps))
        module = exported(model, fixed).eval()
        if args.images:
            files = image_files(args.images, args.num_images)
            images = [load_image(file, image_steps(cfg)) for file in files]
        else:
            images = list(noise(pipeline_size(cfg) or NOISE_SIZE, NOISE_IMAGES))
        onnx_file = onnx_model(module, cfg, meta, args.opset)
        session = open_session(onnx_file.SerializeToString(), args.threads, args.runtime)
        parity = compare(session, reference_of(module), ({'image': image} for image in images))
    report_outputs(module)
    report_parity(parity, len(images))
    if not parity.agrees:
        print(f'not written: the file does not do what PyTorch does, {args.out}', file=sys.stderr)
        return 1
    with one_line(parser, '--out'):
        save(onnx_file, args.out)
    report_size(args.out, module)
    report_latency(session, images[0], module, args)
    if fixed:
        print(f'fixed        {module.limits} iterations of the stages, always: nothing adapts any more')
    print(f'written      {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
