"""Mean intersection over union of several segmentors on the same images, with intervals.

    PYTHONPATH=. python experiments/voc_models/mean_iou.py TRUE PREDICTED... --out mean_iou.json

Folders of label maps, such as VOC's SegmentationClass and what mmseg's test writes with
--cfg-options test_evaluator.output_dir=PREDICTED. Images are resampled; gains are over the first.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from iterbackbone.files import whole_file
from iterbackbone.stats.run_scores import MeanIoU
from iterbackbone.stats.segmentation_score import class_overlaps

CLASSES = 21
RESAMPLES = 2000


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('true', type=Path)
    parser.add_argument('predicted', type=Path, nargs='+')
    parser.add_argument('--out', type=Path, required=True)
    return parser.parse_args()


def read(path):
    return np.asarray(Image.open(path))


def overlaps(true, folders):
    """(r, n, 2, c) pixels of each folder's maps: right ones, and those of the union."""
    names = sorted(path.name for path in folders[0].glob('*.png'))
    for folder in folders:
        if not names or names != sorted(path.name for path in folder.glob('*.png')):
            raise SystemExit(
                f'PREDICTED: {folder} must have the .png files of {folders[0]}, at least one'
            )
    return np.array(
        [
            [class_overlaps(read(f / name), read(true / name), CLASSES) for name in names]
            for f in folders
        ]
    )


def intervals(pixels):
    """One dict for each folder, in percent."""
    scores = MeanIoU(pixels[:, :, 0], pixels[:, :, 1])
    n = scores.num_images
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float)
    counts = np.vstack([np.ones(n), drawn])
    rows = []
    for chosen in np.eye(scores.num_runs):
        values = scores.mixed(np.broadcast_to(chosen, (len(counts), len(chosen))), counts)
        first = rows[0]['values'] if rows else values
        ends = np.percentile([values[1:], (values - first)[1:]], (2.5, 97.5), axis=1).T
        rows.append(dict(values=values, gain=values[0] - first[0], ends=ends))
    return [
        dict(
            mean_iou=round(row['values'][0], 2),
            interval=row['ends'][0].round(2).tolist(),
            gain=round(row['gain'], 2),
            gain_interval=row['ends'][1].round(2).tolist(),
        )
        for row in rows
    ]


def main():
    args = parse_args()
    pixels = overlaps(args.true, args.predicted)
    rows = [
        dict(predicted=folder.name, **row)
        for folder, row in zip(args.predicted, intervals(pixels), strict=True)
    ]
    for row in rows:
        print(json.dumps(row))
    with whole_file(args.out) as file:
        file.write((json.dumps(dict(images=pixels.shape[1], rows=rows), indent=1) + '\n').encode())


if __name__ == '__main__':
    main()
