"""Makes a file of tools/export_onnx.py smaller and faster: its convolutions in int8.

States, weighted sums, pooling and halting stay float32. The ranges of the 8-bit numbers come from
real images. Says how far the new file lies apart from the old one on them.
"""

import argparse
import sys
from pathlib import Path

from iterbackbone.cli.arguments import check_out, folder, new_file, one_line, positive
from iterbackbone.export.onnx.graph import save
from iterbackbone.export.onnx.int8 import quantized
from iterbackbone.export.onnx.model_file import load_image, read_model
from iterbackbone.export.onnx.parity import SHARES, agreement
from iterbackbone.export.onnx.runtime import int8_overflows
from iterbackbone.files import image_files
from iterbackbone.text import printable


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', type=Path, metavar='FILE', help='ONNX file, float32')
    parser.add_argument('--out', type=new_file, required=True, metavar='FILE', help='what to write')
    parser.add_argument(
        '--images',
        type=folder,
        required=True,
        metavar='FOLDER',
        help='of images like those to come, not those of the test',
    )
    parser.add_argument(
        '--num-images', type=positive, default=32, metavar='N', help='taken evenly; default: 32'
    )
    parser.add_argument(
        '--reduce-range',
        action='store_true',
        help='7-bit weights, for x86 CPUs without VNNI, on which sums of 8-bit products overflow',
    )
    args = parser.parse_args(argv)
    check_out(parser, args.out, FILE=args.file)
    return parser, args


def report(path, out, same, images, reduced):
    iterations = (same.apart == 0).all(axis=1).mean()
    print(f'compared     {len(images)} images; same iterations {iterations:.1%}')
    for name, error in same.mean().items():
        what = SHARES.get(name, 'mean relative difference')
        print(f'  {printable(name):<12} {what} {error:.1e}')
    if not reduced and int8_overflows():
        print('overflow     8-bit sums overflow on this CPU; for such CPUs use --reduce-range')
    before, after = path.stat().st_size, out.stat().st_size
    print(f'size         {after / 1e6:.2f} MB, {after / before:.0%} of {before / 1e6:.2f} MB')
    print(f'written      {out}')


def main(argv=None):
    parser, args = parse_args(argv)
    with one_line(parser):
        model, description = read_model(args.file)
        files = image_files(args.images, args.num_images)
        images = [load_image(file, description['steps']) for file in files]
        smaller = quantized(model, description, images, args.reduce_range)
        same = agreement(model.SerializeToString(), smaller.SerializeToString(), images)
        save(smaller, args.out)
    report(args.file, args.out, same, images, args.reduce_range)
    return 0


if __name__ == '__main__':
    sys.exit(main())
