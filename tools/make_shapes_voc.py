"""Makes the embedded default data: scenes of textured shapes with boxes, masks and crops.

Writes below OUT_ROOT::

    VOCdevkit/VOC2007/{JPEGImages,Annotations,ImageSets/Main}      detection, VOC layout
    ADEChallengeData2016/{images,annotations}/{training,validation}  segmentation, ADE20K layout
    classification/{train,val}/CLASS/ID_OBJECT.png                 32x32 crops of single objects
    coco/{train2017,val2017,annotations}, yolo/{images,labels}     detection, COCO's and YOLO's layout
    shapes.json                                                    what it was made with

``trainval.txt`` lists the training images only, so that validation images are never trained on;
``test.txt`` lists the validation images. In the masks 0 is background and k the k-th of ``CLASSES``
counted from 1. Image i of a split depends on the seed, the split, i and the look of the scenes, not
on how many images are made. A set appears when it is complete; one that is there already is left
alone.
"""

import argparse
import sys
from pathlib import Path

from shapes import CLASSES, ShapesSpec
from shapes.write_voc import differences, write_set

__all__ = ['CLASSES', 'main']


def parse_args(argv=None):
    """Returns OUT_ROOT (resolved path), the checked ``ShapesSpec`` and whether to overwrite."""
    parser = argparse.ArgumentParser(
        description='Makes a small data set of textured shapes.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('out_root', type=Path, help='folder to make; left alone if already there')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace what is there; foreign files go to NAME.bakN'
    )

    def add(name, type, help, **more):
        default = getattr(ShapesSpec, name[2:].replace('-', '_'))
        parser.add_argument(name, type=type, help=help, default=default, **more)

    pair = {'nargs': 2, 'metavar': ('LOW', 'HIGH')}
    add('--num-train', int, 'training images')
    add('--num-val', int, 'validation images')
    add('--seed', int, 'seed of the whole set')
    add('--size', int, 'width and height of an image in pixels', nargs=2, metavar=('W', 'H'))
    add('--objects', int, 'smallest and largest number of objects in an image', **pair)
    add('--object-size', float, 'diameter of an object as a share of the short side', **pair)
    add('--clutter', float, 'amount of unlabelled strokes and blobs, 0 to 1')
    add('--difficult', float, 'share of faint, small objects that are marked difficult, 0 to 1')
    values = vars(parser.parse_args(argv))
    out_root, overwrite = values.pop('out_root').resolve(), values.pop('overwrite')
    try:
        spec = ShapesSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except ValueError as error:
        parser.error(str(error))
    if overwrite and out_root in (Path.cwd(), *Path.cwd().parents):
        parser.error(f'OUT_ROOT {out_root}: must not be the working folder or one above it')
    return out_root, spec, overwrite


def main(argv=None) -> int:
    """Runs the tool; returns the exit code: 0 made or already there, 2 refused."""
    out_root, spec, overwrite = parse_args(argv)
    found = differences(out_root, spec)
    if found == '':
        print(f'already there: {out_root}')
        return 0
    if found and not overwrite:
        print(f'OUT_ROOT {out_root}: {found}; --overwrite replaces it', file=sys.stderr)
        return 2
    try:
        kept = write_set(out_root, spec)
    except OSError as error:
        print(f'OUT_ROOT {out_root}: {error}', file=sys.stderr)
        return 2
    if kept:
        print(f'kept what was there as {kept}')
    print(f'made {spec.num_train} training and {spec.num_val} validation images in {out_root}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
