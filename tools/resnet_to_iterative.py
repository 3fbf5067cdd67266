"""Turns a trained bottleneck ResNet into an initial IterativeResNet.

Reads checkpoints of torchvision, timm, mmpretrain and mmdet, weights only. Writes a checkpoint
for init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.') and prints what became of
every key. docs/starting-weights.md says what the result is and what it is not.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from iterbackbone import __version__
from iterbackbone.cli.arguments import check_out, new_file, one_line, positive
from iterbackbone.core.resnet import DEPTHS
from iterbackbone.files import IMAGE_FORMATS, image_files
from iterbackbone.tensor_file import save_whole
from iterbackbone.text import printable
from iterbackbone.warm_start.conversion import METHODS, check_depth, convert, recalibrate
from iterbackbone.warm_start.layouts import read_resnet
from iterbackbone.warm_start.safe_loading import load_checkpoint

BATCH = 16
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SIDES = {'imagenet': 224, 'cifar': 32}


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='of the ResNet, a file by torch.save')
    parser.add_argument('--out', type=new_file, required=True, metavar='FILE', help='what to write')
    parser.add_argument(
        '--depth',
        type=int,
        choices=sorted(DEPTHS),
        help='what the ResNet must be; by default the blocks found in the checkpoint count',
    )
    parser.add_argument(
        '--method',
        choices=sorted(METHODS),
        default='first',
        help="shared kernels: those of a stage's first identity block, or the mean over its identity "
        'blocks; default: first',
    )
    parser.add_argument(
        '--recalibrate',
        action='store_true',
        help='measure the BatchNorm statistics anew, at full depth (needs --images)',
    )
    parser.add_argument(
        '--last-relu',
        action=argparse.BooleanOptionalAction,
        default=False,
        help='for a backbone with last_relu=True; a ResNet has no ReLU before the sum',
    )
    add_image_options(parser)
    args = parser.parse_args(argv)
    check_out(parser, args.out, CHECKPOINT=args.checkpoint)
    if args.recalibrate and args.images is None:
        parser.error('--images is needed for --recalibrate')
    if min(args.std) <= 0:
        parser.error(f'argument --std: must be above 0, got {args.std}')
    if args.images and not args.recalibrate:
        parser.error('--images is read for --recalibrate only')
    return parser, args


def add_image_options(parser):
    group = parser.add_argument_group('images', "preprocessed as in the ResNet's evaluation")
    group.add_argument('--images', type=Path, metavar='FOLDER', help='image files, also in subfolders')
    group.add_argument(
        '--num-images', type=positive, default=64, metavar='N', help='taken evenly; default: 64'
    )
    group.add_argument(
        '--size',
        type=positive,
        metavar='PIXELS',
        help='of the square crop; 224, or 32 for a CIFAR stem',
    )
    of_colours = dict(type=float, nargs=3, metavar=('R', 'G', 'B'))
    group.add_argument(
        '--mean', default=MEAN, help='of the normalisation, 0 to 255; default: ImageNet', **of_colours
    )
    group.add_argument('--std', default=STD, help='the same', **of_colours)


def read_image(path, side, mean, std):
    """Shorter side resized to 8/7 of the crop, as 256 is to 224; not where it fits already."""
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as file:
            if file.mode.startswith('I;16'):  # Pillow clips, OpenCV keeps the upper byte
                file = Image.fromarray((np.asarray(file) >> 8).astype(np.uint8))
            image = file.convert('RGB')
    except Exception as error:  # decoders raise SyntaxError and others
        raise ValueError(f'--images: {path} cannot be read ({error})') from None
    if image.size != (side, side):
        scale = side * 8 / 7 / min(image.size)
        image = image.resize([max(side, round(length * scale)) for length in image.size])
        left, top = ((length - side) // 2 for length in image.size)
        image = image.crop((left, top, left + side, top + side))
    pixels = (np.asarray(image, dtype=np.float32) - np.float32(mean)) / np.float32(std)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def converted(args):
    """The ResNet and its conversion."""
    resnet = read_resnet(load_checkpoint(args.checkpoint))
    if args.depth:
        check_depth(resnet, args.depth)
    conversion = convert(resnet, args.method, args.last_relu)
    if args.recalibrate:
        if resnet.in_channels != 3:
            raise ValueError(f'--images: the ResNet must read 3 channels, got {resnet.in_channels}')
        side, files = args.size or SIDES[resnet.stem], image_files(args.images, args.num_images)
        images = torch.stack([read_image(path, side, args.mean, args.std) for path in files])
        conversion = recalibrate(conversion, images.split(BATCH))
    return resnet, conversion


def account(conversion):
    """What became of every key, as text."""
    width = max(len(use.source) for use in conversion.uses)
    lines = [
        f'{printable(use.source):{width}}  {use.use:8}  {use.target or ""}'.rstrip()
        for use in conversion.uses
    ]
    counts = Counter(use.use for use in conversion.uses)
    total = ', '.join(f'{count} {use}' for use, count in counts.items())
    lines += ['', f'{len(conversion.uses)} keys of the checkpoint: {total}']
    lines += [f'{len(conversion.initial)} keys of the IterativeResNet stay as initialised:']
    return '\n'.join(lines + [f'  {key}' for key in conversion.initial])


def main(argv=None):
    parser, args = parse_args(argv)
    with one_line(parser):
        resnet, conversion = converted(args)
    state = {f'backbone.{key}': value for key, value in conversion.network.state_dict().items()}
    meta = {
        'source': args.checkpoint.name,
        'method': args.method,
        'recalibrated': args.recalibrate,
        'last_relu': args.last_relu,
        'iterbackbone_version': __version__,
    }
    with one_line(parser, '--out'):
        save_whole({'meta': meta, 'state_dict': state}, args.out)
    print(account(conversion))
    print(
        f'{args.out}: IterativeResNet(stem={resnet.stem!r}, base_channels={resnet.width}, '
        f'expansion={resnet.expansion}, max_iterations={resnet.blocks})'
    )


if __name__ == '__main__':
    main()
