"""Which labels of a data set are no objects, and which pixels have no label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from ...stats.objects import is_background

INDEX = re.compile(r'_*(bg|background|ignore|void)(_?(class|cls|label))?(_?(ind|index|idx|id))?s?')
UNLABELLED = 255


def background_labels(
    classes: Sequence[str], metainfo: Mapping[str, Any], model: nn.Module
) -> set[int]:
    """Labels that are no objects.

    Args:
        classes: Names by label.
        metainfo: Of the data set. Entries such as ``background_index=3`` or ``background='sky'`` count.
        model: Whose heads' ``ignore_index``, ``bg_index`` and their like count.
    """
    found = {label for label, name in enumerate(classes) if is_background(name)}
    said = [value for key, value in metainfo.items() if INDEX.fullmatch(key)]
    said += [v for head in heads(model) for key, v in vars(head).items() if INDEX.fullmatch(key)]
    for value in map(_plain, said):
        for item in map(_plain, value if isinstance(value, (list, tuple, set)) else [value]):
            item = classes.index(item) if item in classes else item
            if type(item) is int and 0 <= item < len(classes):
                found.add(item)
    return found


def ignore_index(evaluator: Any, model: nn.Module) -> int:
    """The index of pixels without a label: the metric's, so that scores agree, else the head's."""
    for part in (*getattr(evaluator, 'metrics', ()), *heads(model)):
        index = _plain(getattr(part, 'ignore_index', None))
        if type(index) is int:
            return index
    return UNLABELLED


def _plain(value: Any) -> Any:
    """NumPy's and torch's numbers as Python's, their arrays as lists."""
    return value.tolist() if hasattr(value, 'tolist') else value


def heads(model: nn.Module) -> Iterator[nn.Module]:
    """The model's heads, those that others only help to train left out."""
    for name, part in model.named_modules():
        if type(part).__name__.endswith('Head') and not name.startswith('auxiliary'):
            yield part
