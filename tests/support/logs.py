"""Iteration logs made up for tests, with pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ['circle', 'square', 'star']
LIMITS = [3, 4, 6, 3]
PALETTE = [[10, 20, 30], [200, 0, 0]]
TRUE = np.array([[0, 0, 1], [0, 255, 1]], dtype=np.uint8)
PREDICTED = np.array([[0, 1, 1], [0, 0, 1]], dtype=np.uint8)


def write_log(folder: Path, records, predictions=None, **meta) -> Path:
    """An evaluation's folder with these lines; dicts are written as JSON, text as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    predictions = [prediction_of(r) for r in records] if predictions is None else predictions
    for name, lines in (('records', records), ('predictions', predictions)):
        texts = [line if isinstance(line, str) else json.dumps(line) + '\n' for line in lines]
        (folder / f'{name}.jsonl').write_text(''.join(texts))
    (folder / 'meta.json').write_text(json.dumps({**meta_of(len(records)), **meta}))
    return folder


def meta_of(count: int) -> dict:
    return {
        'schema_version': 1,
        'task': 'detection',
        'model': 'FasterRCNN',
        'config': 'configs/tiny.py',
        'checkpoint': 'epoch_1.pth',
        'epoch': 1,
        'iter': 100,
        'classes': CLASSES,
        'parameters': {'total': 2_000_000, 'backbone': 500_000},
        'resnet': {'name': 'ResNet (3, 4, 6, 3), width 16', 'parameters': 1_500_000},
        'max_iterations': LIMITS,
        'blocks_per_stage': [1, 1, 1, 1],
        'dataset': {'type': 'VOCDataset', 'ann_file': 'val.txt', 'num_images': count},
        'score': {'pascal_voc/mAP': 0.25},
    }


def record(i: int, iterations=(1, 1, 1, 1), objects=1, relative=0.1, **more) -> dict:
    total = sum(iterations)
    measured = {'mean_object_area': relative * 19200, 'mean_relative_area': relative}
    return {
        'img_id': f'{i:06d}',
        'img_path': f'images/{i:06d}.jpg',
        'height': 120,
        'width': 160,
        'iterations_per_block': list(iterations),
        'iterations': list(iterations),
        'total_iterations': total,
        'ponder_cost': total + 0.5,
        'num_calls': 1,
        'macs': 10**8 * total,
        'macs_lowest': 4 * 10**8,
        'macs_full': 16 * 10**8,
        'macs_resnet': 17 * 10**8,
        'num_objects': objects,
        'num_difficult': 0,
        **(measured if objects else dict.fromkeys(measured)),
        'class_names': [CLASSES[i % 3]] if objects else [],
        **more,
    }


def prediction_of(record) -> dict:
    """One true box an object, the first of which is found with a score of 0.9."""
    record = record if isinstance(record, dict) else {}
    boxes = [[10 * k, 10, 10 * k + 40, 60] for k in range(record.get('num_objects') or 0)]
    true = {'boxes': boxes, 'labels': [0] * len(boxes)}
    return {
        'img_id': record.get('img_id'),
        'img_path': record.get('img_path'),
        'predicted': {
            'boxes': boxes[:1],
            'labels': [0] * len(boxes[:1]),
            'scores': [0.9] * len(boxes[:1]),
        },
        'true': true,
        'difficult': {'boxes': [], 'labels': []},
    }


def correlated(count: int, seed: int = 0) -> list[dict]:
    """Records in which more and smaller objects mean more iterations, with noise."""
    generator = np.random.default_rng(seed)
    found = []
    for i in range(count):
        objects = int(generator.integers(0, 9))
        relative = float(np.clip(0.5 / (objects + 1) * generator.lognormal(0, 0.4), 0.001, 0.9))
        third = int(np.clip(round(1 + objects / 2 + generator.normal()), 1, 6))
        found.append(record(i, (3, int(generator.integers(1, 3)), third, 1), objects, relative))
    return found


def write_images(root: Path, records) -> None:
    """A picture for each record: a coloured rectangle on grey."""
    for i, entry in enumerate(records):
        path = root / entry['img_path']
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((120, 160, 3), 128, np.uint8)
        pixels[10:60, 10:50] = ((37 * i) % 255, (91 * i) % 255, 200)
        Image.fromarray(pixels).save(path)


def segmented(tmp_path, count=1, paths=('true.png', 'predicted.png'), **meta) -> Path:
    """A segmentor's evaluation, all of whose images have the same two label maps."""
    records = [record(i, (1, 1, 1 + i % 3, 1), miou=0.5, num_classes=2) for i in range(count)]
    maps = dict(zip(('true_map', 'predicted_map'), paths, strict=True))
    predictions = [{'img_id': r['img_id'], 'img_path': r['img_path'], **maps} for r in records]
    folder = write_log(
        tmp_path / 'log', records, predictions, task='segmentation', classes=['sky', 'car'], **meta
    )
    for name, pixels in (('true.png', TRUE), ('predicted.png', PREDICTED)):
        Image.fromarray(pixels).save(folder / name)
        Image.fromarray(pixels).save(tmp_path / name)
    write_images(tmp_path, records)
    return folder


def classified(tmp_path, count=9, **more) -> Path:
    """A classifier's evaluation: image i of class i % 3, every image of 6 iterations is wrong."""
    records = []
    for i in range(count):
        label, third = i % 3, 1 + i % 2 * 2
        prediction = (label + 1) % 3 if third == 3 else label
        entry = record(i, (1, 1, third, 1), label=label, prediction=prediction, **more)
        entry |= dict.fromkeys(
            ('num_objects', 'num_difficult', 'mean_object_area', 'mean_relative_area')
        )
        records.append({**entry, 'correct': label == prediction, 'confidence': 0.875})
    predictions = [{'img_id': r['img_id'], 'img_path': r['img_path']} for r in records]
    score = {'accuracy/top1': 50.0}
    folder = write_log(
        tmp_path / 'log',
        records,
        predictions,
        task='classification',
        model='ImageClassifier',
        score=score,
    )
    if not more:
        write_images(tmp_path, records)
    return folder
