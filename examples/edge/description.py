"""What an exported file says of itself and what it returns, checked: a stranger may have written it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from images import STEPS, UserError

FORMAT = 2
Shape = tuple[int | None, ...]
GENERAL: dict[str, Shape] = {'iterations': (1, None), 'macs': ()}
RESULTS: dict[str, dict[str, Shape]] = {
    'classification': {'scores': (1, None)},
    'segmentation': {'label_map': (1, None, None)},
    'detection': {'boxes': (None, 4), 'scores': (None,), 'labels': (None,)},
}
OPTIONAL: dict[str, Shape] = {'masks': (None, None, None), 'roi_iterations': (None, None)}
COUNTED = ('iterations', 'roi_iterations', 'label_map', 'labels')  # whole numbers from 0
OF_BOXES = ('boxes', 'scores', 'labels', 'masks')


def printable(text: str) -> str:
    """In one line, without control sequences: names come from files."""
    return ''.join(c if c.isprintable() else '?' for c in ' '.join(text.split()))


def _list_of(kind: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(kind, value))


def _whole(value: Any, lowest: int = 1, highest: int = 2**31) -> bool:
    return type(value) is int and lowest <= value <= highest


def _step(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get('step'), str):
        return False
    return all(STEP_HOLDS[key](value.get(key)) for key in STEPS.get(value['step'], ()))


def _pair(value: Any) -> bool:
    return _list_of(_whole, value) and len(value) == 2


def _colour(value: Any) -> bool:
    return _list_of(lambda x: _whole(x, 0, 255), value) and len(value) == 3


STEP_HOLDS: dict[str, Callable[[Any], bool]] = {
    'keep_ratio': lambda x: type(x) is bool,
    'edge': _whole,
    'scale': _pair,
    'size': _pair,
}
HOLDS: dict[str, Callable[[Any], bool]] = {
    'task': lambda x: isinstance(x, str),
    'classes': lambda x: x is None or _list_of(lambda name: isinstance(name, str), x),
    'palette': lambda x: x is None or _list_of(_colour, x),
    'steps': lambda x: x == [] or _list_of(_step, x),
    'max_iterations': lambda x: _list_of(_whole, x),
    'halting_threshold': lambda x: type(x) in (int, float) and 0 < x <= 1,
    'fixed': lambda x: x is None or _whole(x),
    'mask_threshold': lambda x: x is None or (type(x) in (int, float) and 0 <= x <= 1),
}


def read_description(text: str) -> dict[str, Any]:
    """The description, with names that may be printed.

    Raises:
        UserError: it is of another format, or a part of it is not what it must be.
    """
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise UserError('its description is no JSON object: export it again')
    if about.get('format') != FORMAT:
        raise UserError(f'it has format {about.get("format")!r}, this runner reads {FORMAT}')
    for key, holds in HOLDS.items():
        if not holds(about.get(key)):
            raise UserError(f'its description has {key} {about.get(key)!r:.60}: export it again')
    classes = about['classes'] and [printable(name) for name in about['classes']]
    return {**about, 'classes': classes}


def _wanted(about: dict[str, Any]) -> dict[str, Shape]:
    """Outputs that the file must have."""
    masks = {} if about.get('mask_threshold') is None else {'masks': OPTIONAL['masks']}
    return {**GENERAL, **RESULTS.get(about['task'], {}), **masks}


def check_names(about: dict[str, Any], inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Compare what a file takes and returns with its description.

    Raises:
        UserError: something is missing.
    """
    wanted = _wanted(about)
    missing = [name for name in wanted if name not in outputs]
    if 'image' not in inputs or missing:
        raise UserError(
            f'a file of the task {about["task"]!r} must take an image and return '
            f'{", ".join(wanted)}: export it again'
        )


def check_values(about: dict[str, Any], values: dict[str, np.ndarray]) -> None:
    """Check what a run returned.

    Raises:
        UserError: it is not what the task needs.
    """
    optional = {name: shape for name, shape in OPTIONAL.items() if name in values}
    for name, shape in {**_wanted(about), **optional}.items():
        value = values[name]
        fits = value.ndim == len(shape)
        fits = fits and all(w in (None, h) for w, h in zip(shape, value.shape, strict=True))
        if name in COUNTED:
            fits = fits and value.dtype.kind in 'iu' and value.min(initial=0) >= 0
        if name == 'macs':
            fits = fits and value.dtype.kind in 'iuf' and bool(0 <= value < np.inf)
        if not fits:
            raise UserError(f'the file returned {name} of {value.shape} {value.dtype}: export it again')
    of_boxes = [name for name in OF_BOXES if name in values and about['task'] == 'detection']
    if len({len(values[name]) for name in of_boxes}) > 1:
        raise UserError(f'the file returned unequal numbers of {", ".join(of_boxes)}')
