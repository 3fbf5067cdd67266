"""Accuracy of files of tools/export_onnx.py on labelled images: float32 beside int8.

Images lie in class folders (top-1), or in the layout of VOC, COCO or YOLO (mAP at IoU 0.5). Each goes
through every file at every budget, one after the other on one thread; CPU seconds are this process's,
so that others on the machine disturb them little. Writes OUT.json.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from iterbackbone.export.onnx.model_file import load_image, read_model
from iterbackbone.export.onnx.runtime import RUNTIMES, open_session
from iterbackbone.files import whole_file
from iterbackbone.mm.new_data.folder import Folder
from iterbackbone.mm.new_data.layouts import read_folder
from iterbackbone.stats.average_precision import AveragePrecision
from iterbackbone.stats.detection_error import Boxes
from iterbackbone.timing import machine


class Run(NamedTuple):
    """A file at a budget."""

    file: Path
    iterations: int


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('files', type=Path, nargs='+', metavar='FILE', help='float32 first')
    parser.add_argument('--images', type=Path, required=True, metavar='FOLDER')
    parser.add_argument('--split', default='', help='of the folder, such as val; default: all')
    parser.add_argument('--num-images', type=int, default=250, metavar='N', help='taken evenly')
    parser.add_argument('--iterations', type=int, nargs='+', default=[1, 36], metavar='K')
    parser.add_argument('--runtime', choices=RUNTIMES, default=RUNTIMES[0])
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/accuracy'))
    return parser.parse_args()


def pictures_of(args, task):
    """Classes, and pictures taken evenly."""
    data = read_folder(Folder(args.images), task)
    found = [picture for picture in data.pictures if args.split in ('', picture.split)]
    count = min(args.num_images, len(found))
    return data.classes, [found[i * len(found) // count] for i in range(count)]


def results_of(pictures, description, args):
    """Outputs by name of each picture, and CPU seconds, by run."""
    sessions = {file: open_session(str(file), 1, args.runtime) for file in args.files}
    runs = [Run(*each) for each in product(args.files, args.iterations)]
    results, seconds = {each: [] for each in runs}, dict.fromkeys(runs, 0.0)
    blocks = len(description['max_iterations'])
    for picture in pictures:
        image = load_image(picture.file, description['steps'])
        for each in runs:
            session = sessions[each.file]
            feed = {'image': image, 'max_iterations': np.full(blocks, each.iterations)}
            started = time.process_time()
            values = session.run(None, feed)
            seconds[each] += time.process_time() - started
            names = [output.name for output in session.get_outputs()]
            results[each].append(dict(zip(names, values, strict=True), shape=image.shape[2:]))
    return results, seconds


def top1(results, pictures, classes):
    """In points, by run."""
    labels = [classes.index(picture.boxes[0].name) for picture in pictures]
    best = {each: [int(r['scores'].argmax()) for r in found] for each, found in results.items()}
    return {each: 100 * float(np.equal(found, labels).mean()) for each, found in best.items()}


def mean_precision(results, pictures, classes):
    """mAP at IoU 0.5 in points, by run; difficult objects are ignored."""
    sizes = [Image.open(picture.file).size for picture in pictures]
    found = [
        [detected(r, size) for r, size in zip(each, sizes, strict=True)] for each in results.values()
    ]
    sized = list(zip(pictures, sizes, strict=True))
    true, difficult = (
        [annotated(picture, classes, ignored, size) for picture, size in sized]
        for ignored in (False, True)
    )
    score = AveragePrecision.of_boxes(found, true, difficult)
    choice = np.repeat(np.arange(len(found))[:, None], len(pictures), axis=1)
    return dict(zip(results, score.chosen(choice).tolist(), strict=True))


def detected(result, size):
    """In pixels of the picture."""
    height, width = result['shape']
    scale = np.tile((size[0] / width, size[1] / height), 2)
    return Boxes(result['boxes'] * scale, result['labels'], result['scores'].astype(float))


def annotated(picture, classes, ignored, size):
    boxes = [box for box in picture.boxes if box.ignored == ignored]
    xywh = np.array([box.xywh for box in boxes], dtype=float).reshape(-1, 4)
    if picture.relative:
        xywh = xywh * np.tile(size, 2)
    corners = np.concatenate((xywh[:, :2], xywh[:, :2] + xywh[:, 2:]), axis=1)
    return Boxes(corners, np.array([classes.index(b.name) for b in boxes], int), np.ones(len(boxes)))


def main():
    args = parse_args()
    _, description = read_model(args.files[0])
    task = description['task']
    classes, pictures = pictures_of(args, task)
    results, seconds = results_of(pictures, description, args)
    if task == 'detection':  # class folders are in the order of the outputs, objects by their names
        scores = mean_precision(results, pictures, description['classes'])
    else:
        scores = top1(results, pictures, classes)
    rows = []
    for each, score in scores.items():
        share = seconds[each] / seconds[Run(args.files[0], each.iterations)]
        rows.append({'file': each.file.name, 'iterations': each.iterations, 'score': score})
        rows[-1] |= {'cpu_seconds': seconds[each], 'cpu_share': share}
        print(f'{each.file.name:<24} at {each.iterations:<3} {score:6.2f}%  {share:.2f} of the time')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    content = {'machine': machine(), 'runtime': args.runtime, 'images': len(pictures), 'rows': rows}
    with whole_file(args.out.with_suffix('.json')) as file:
        file.write(json.dumps(content, indent=1).encode())


if __name__ == '__main__':
    main()
