"""Logs of static budgets and of policies whose gain is known."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.support.planted_policies import sample

from .logs import record, write_log

DEPTHS = [(1, 1, 1, 1), (1, 2, 2, 1), (2, 3, 3, 1), (3, 4, 4, 2)]  # of the planted menu


def classifier_log(folder, depths, right, first=0, **meta):
    """An evaluation whose image i ran at ``depths[i]`` and was classified rightly or not.

    It has 1 to 4 objects, and they are small where these are many.
    """
    records = [
        record(
            first + i,
            depth,
            1 + i % 4,
            0.4 / (1 + i % 4),
            correct=bool(r),
            label=0,
            prediction=int(not r),
            confidence=0.5,
        )
        for i, (depth, r) in enumerate(zip(depths, right, strict=True))
    ]
    return write_log(folder, records, task='classification', **meta)


def planted_logs(root, names=('oracle',), n=200, seed=0, first=0):
    """Folders of the policies ``names`` and of the menu, on the same n images."""
    outcomes, policies = None, []
    for name in names:
        places, outcomes = sample(name, np.random.default_rng(seed), n)  # the same images for each
        right = outcomes[places, np.arange(n)]
        depths = [DEPTHS[place] for place in places]
        policies.append(classifier_log(root / name.replace(' ', '_'), depths, right, first))
    menu = [
        classifier_log(root / f'static_{k}', [depth] * n, outcomes[k], first)
        for k, depth in enumerate(DEPTHS)
    ]
    return policies, menu


def boxes(left):
    return {'boxes': [[left, 0, left + 10, 10]], 'labels': [0]}


def detector_log(folder, depths, lefts):
    """Image i has an object at 0 and one detection at ``lefts[i]``."""
    records = [record(i, depth) for i, depth in enumerate(depths)]
    lines = [
        {
            **{key: entry[key] for key in ('img_id', 'img_path')},
            'true': boxes(0),
            'predicted': {**boxes(left), 'scores': [0.5]},
        }
        for entry, left in zip(records, lefts, strict=True)
    ]
    return write_log(folder, records, lines)


def segmentor_log(folder, depths, right):
    """Image i has four pixels of class 0, of which it gets all or two right."""
    records = [record(i, depth) for i, depth in enumerate(depths)]
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / 'all.png')
    Image.fromarray(np.array([[0, 0], [1, 1]], np.uint8)).save(folder / 'half.png')
    lines = [
        {
            **{key: entry[key] for key in ('img_id', 'img_path')},
            'true_map': 'all.png',
            'predicted_map': 'all.png' if good else 'half.png',
        }
        for entry, good in zip(records, right, strict=True)
    ]
    return write_log(folder, records, lines, task='segmentation', classes=['sky', 'car'])
