"""Average precision by the size of the objects, at several budgets of one detector.

    PYTHONPATH=. python experiments/voc_models/by_size.py FOLDER... [--scale 533 320] --out by_size.json

FOLDER is an evaluation (WORK_DIR/TIMESTAMP/iterations/test_epoch_N), the lowest budget's first.
A size is the root of a box's area in pixels of the network's input. As in COCO, objects of other
sizes are neither to be found nor wrong to find, nor are wrong boxes of other sizes.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from iterbackbone.files import whole_file
from iterbackbone.report.evaluation import load_evaluations
from iterbackbone.report.run_outcomes import default_score
from iterbackbone.stats.average_precision import AveragePrecision
from iterbackbone.stats.detection_error import WRONG, Boxes, match

EDGES = (0, 48, 96, 192, np.inf)
RESAMPLES = 2000


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('folders', nargs='+', type=Path)
    parser.add_argument('--scale', nargs=2, type=int, default=(533, 320), help="the test pipeline's")
    parser.add_argument('--out', type=Path, required=True)
    return parser.parse_args()


def sizes(boxes, factor):
    sides = np.clip(boxes.boxes[:, 2:] - boxes.boxes[:, :2], 0, None)
    return np.sqrt(sides.prod(axis=1)) * factor


def pick(boxes, kept):
    return Boxes(*(values[kept] for values in boxes))


def joined(first, second):
    return Boxes(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def of_size(image, low, high, factor):
    """The boxes of one image for one range of sizes: predicted, to be found, left out."""
    nothing = pick(image['true'], np.zeros(0, dtype=int))
    inside = (sizes(image['true'], factor) >= low) & (sizes(image['true'], factor) < high)
    true = pick(image['true'], inside)
    others = joined(pick(image['true'], ~inside), image.get('difficult', nothing))
    found = sizes(image['predicted'], factor)
    right = match(image['predicted'], true, others)[0] != WRONG
    return pick(image['predicted'], right | ((found >= low) & (found < high))), true, others


def precisions(runs, factors, low, high):
    """AveragePrecision of all runs on the objects of one range of sizes."""
    parts = [
        [of_size(image, low, high, factor) for image, factor in zip(run, factors, strict=True)]
        for run in runs
    ]
    predicted = [[part[0] for part in run] for run in parts]
    return AveragePrecision.of_boxes(predicted, [p[1] for p in parts[0]], [p[2] for p in parts[0]])


def scores(precision, counts):
    """(B, n), how often each image counts, to (B, r)."""
    runs, images = precision.num_runs, precision.num_images
    each = [precision.mixed(np.eye(runs), np.broadcast_to(c, (runs, images))) for c in counts]
    return np.array(each)


def main():
    args = parse_args()
    evaluations = load_evaluations(args.folders)
    names = [record['img_id'] for record in evaluations[0].records]
    if any([r['img_id'] for r in e.records] != names for e in evaluations) or {
        default_score(e) for e in evaluations
    } != {'ap50'}:
        raise SystemExit('FOLDER: give evaluations of one detector on the same images, in one order')
    runs = [[e.boxes(i) for i in range(len(names))] for e in evaluations]
    sides = [sorted((r['width'], r['height'])) for r in evaluations[0].records]
    factors = [min(min(args.scale) / short, max(args.scale) / long) for short, long in sides]
    random = np.random.default_rng(0)
    n = len(names)
    counts = random.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float)
    rows = []
    for low, high in [(0, np.inf), *pairwise(EDGES)]:
        precision = precisions(runs, factors, low, high)
        drawn = scores(precision, counts)
        ends = np.percentile([drawn, drawn - drawn[:, :1]], (2.5, 97.5), axis=1)
        point = scores(precision, np.ones((1, n)))[0]
        rows.append(
            dict(
                low=low,
                high=None if high == np.inf else high,
                objects=int(precision.objects.sum()),
                ap50=point.round(2).tolist(),
                ap50_interval=ends[:, 0].T.round(2).tolist(),
                gain=(point - point[0]).round(2).tolist(),
                interval=ends[:, 1].T.round(2).tolist(),
            )
        )
        print(json.dumps(rows[-1]), flush=True)
    result = dict(
        iterations=[list(e.records[0]['iterations']) for e in evaluations], images=n, sizes=rows
    )
    with whole_file(args.out) as file:
        file.write((json.dumps(result, indent=1) + '\n').encode())


if __name__ == '__main__':
    main()
