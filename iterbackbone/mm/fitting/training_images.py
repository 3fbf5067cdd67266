"""Which images a checkpoint was trained on, as far as its own config says."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

from .images import image_names

WITHOUT_EFFECT = ('pipeline', 'indices', 'lazy_init', 'serialize_data')  # on which images there are


def trained_images(content: Mapping[str, Any], cfg: Config) -> set[Any]:
    """Files of the images of a checkpoint's training; empty where they are unknown.

    The checkpoint's config is text from anywhere: it is read as plain data, never run, and no data set
    is built from it. It says which part of the user's own training data set was used, if its data
    set is the same one.

    Args:
        content: Of the checkpoint.
        cfg: The user's own config.
    """
    own = (cfg.get('train_dataloader') or {}).get('dataset')
    theirs = _dataset_of((content.get('meta') or {}).get('cfg'))
    if own is None or theirs is None or _plain(theirs) != _plain(own.to_dict()):
        return set()
    dataset = DATASETS.build({**own, 'indices': theirs.get('indices')} if 'indices' in theirs else own)
    return image_names(dataset, range(len(dataset)))


def _dataset_of(text: Any) -> dict[str, Any] | None:
    """``train_dataloader.dataset`` of a config's text; None where it is no plain data."""
    if not isinstance(text, str):
        return None
    try:
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'train_dataloader':
                return _literal(node.value)['dataset']
    except (SyntaxError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        pass  # not what mmengine writes
    return None


def _literal(node: ast.expr) -> Any:
    """As ``ast.literal_eval``, and ``dict(name=value)``, which mmengine writes."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == 'dict' and not node.args:
        return {str(each.arg): _literal(each.value) for each in node.keywords}
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(key): _literal(value) for key, value in pairs if key is not None}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(each) for each in node.elts]
    return ast.literal_eval(node)


def _plain(value: Any) -> Any:
    """Without what does not matter, and tuples as lists."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if key not in WITHOUT_EFFECT}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value
