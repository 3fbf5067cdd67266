"""Which images halting is fitted on, and which ones the network was trained on."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader, Subset

from ..configs import type_name

SPEC = re.compile(r'(train|val|test)(?:\[(\d*):(\d*)(?::(\d*))?\])?')
ANNOTATIONS = 'LoadAnnotations'
WITHOUT_EFFECT = ('pipeline', 'indices', 'lazy_init', 'serialize_data')  # on which images there are


class ImageSpec(NamedTuple):
    """Images of a data loader of the config, as a slice ``[start:stop:step]``."""

    part: str
    start: int
    stop: int | None
    step: int

    @classmethod
    def parse(cls, text: str) -> ImageSpec:
        """``val``, ``train[1400:]``, ``test[0:250]`` or ``val[1::2]``; ValueError for any other."""
        match = SPEC.fullmatch(text)
        if not match or match[4] == '0':
            raise ValueError(
                f"images must be such as 'val', 'train[1400:]' or 'test[0:250:2]', got {text!r}"
            )
        part, start, stop, step = match.groups()
        return cls(part, int(start or 0), int(stop) if stop else None, int(step or 1))

    def __str__(self) -> str:
        return f'{self.part}[{self.start}:{"" if self.stop is None else self.stop}:{self.step}]'

    def places(self, length: int) -> range:
        """Places of the images in a data set of this length."""
        return range(length)[self.start : self.stop : self.step]

    def thinned(self, length: int, count: int) -> ImageSpec:
        """About ``count`` of these images, evenly spread: data sets may be sorted by class."""
        every = max(1, -(-len(self.places(length)) // count))
        return self._replace(step=self.step * every)


class FitOptions(NamedTuple):
    """What a user chooses of a fit."""

    fit: ImageSpec  # images for the units
    calibrate: ImageSpec  # others, for budgets and figures
    group_by: str | None = None  # metainfo key of an image's source; None: only copies share one
    trained_on_these: bool = False  # whether the features may have been trained on the images
    max_drop: float | None = None  # in points of score
    device: str = 'cpu'


def image_loader(cfg: Config, spec: ImageSpec) -> DataLoader:
    """The images in the test pipeline's form, with annotations in the frame of the input.

    Images of the training set go through the test pipeline, too.

    Raises:
        ValueError: the config has no such data loader, or it has no such images.
    """
    loader = cfg.get(f'{spec.part}_dataloader')
    if not loader:
        raise ValueError(f'config must have a {spec.part}_dataloader, for {spec}')
    dataset_cfg = copy.deepcopy(loader['dataset'])
    evaluation = cfg.get('val_dataloader') or cfg.get('test_dataloader') or loader
    for leaf in leaves(dataset_cfg):
        if spec.part == 'train':
            leaf['pipeline'] = copy.deepcopy(next(leaves(evaluation['dataset'])).get('pipeline'))
        if leaf.get('pipeline'):
            leaf['pipeline'] = annotations_first(leaf['pipeline'])
    dataset = DATASETS.build(dataset_cfg)
    chosen = spec.places(len(dataset))
    if not len(chosen):
        raise ValueError(f'{spec} has no image: the data set has {len(dataset)}')
    return DataLoader(
        Subset(dataset, chosen),
        batch_size=evaluation.get('batch_size', 1),
        num_workers=loader.get('num_workers', 0),
        collate_fn=pseudo_collate,
    )


def annotations_first(pipeline: Any) -> Any:
    """The pipeline with boxes loaded before anything resizes the image.

    mmdet's test pipelines load them behind Resize, in the frame of the original image.
    Segmentation maps stay where they are: the loss resizes predictions to them.
    """
    names = [type_name(step) for step in pipeline]
    if ANNOTATIONS not in names:
        return pipeline
    steps = list(pipeline)
    annotations = steps.pop(names.index(ANNOTATIONS))
    # mmdet's loads boxes unless told otherwise; mmseg's has none.
    if not annotations.get('with_bbox', 'PackDetInputs' in names):
        return pipeline
    resizes = [i for i, step in enumerate(steps) if 'Resize' in type_name(step)]
    steps.insert(resizes[0] if resizes else 1, annotations)
    return steps


def leaves(cfg: Any) -> Iterator[Any]:
    """The configs of the data sets inside wrappers; ValueError where one mixes images."""
    if 'Mix' in type_name(cfg):
        raise ValueError(
            f'images of a {type_name(cfg)} are mixtures: name the images of another data loader'
        )
    if 'datasets' in cfg:
        for each in cfg['datasets']:
            yield from leaves(each)
    elif 'dataset' in cfg:
        yield from leaves(cfg['dataset'])
    else:
        yield cfg


def image_infos(subset: Any) -> Iterator[dict[str, Any]]:
    """Files and labels of the images of a ``Subset``; none where its data set does not say."""
    if hasattr(subset.dataset, 'get_data_info'):
        yield from map(subset.dataset.get_data_info, subset.indices)


def image_names(subset: Any) -> set[Any]:
    """What tells a subset's images apart: their files; empty where its data set does not say."""
    return set(map(_file, image_infos(subset))) - {None}


def image_keys(subset: Any) -> list[Any]:
    """Of each image of a subset its file, or else its place in the innermost data set: copies share it.

    Wrappers such as ``RepeatDataset`` show an image several times.
    """
    infos = list(image_infos(subset)) or [{}] * len(subset)
    return [
        _file(info) or info.get('sample_idx', place)
        for info, place in zip(infos, subset.indices, strict=True)
    ]


def _file(info: dict[str, Any]) -> Any:
    return info.get('img_path') or info.get('filename')


def trained_images(content: Mapping[str, Any], cfg: Config) -> set[Any]:
    """Files of the images of a checkpoint's training; empty where they are unknown.

    The config in its content is text from anywhere: it is read as plain data, never run, and no data
    set is built from it. It says which part of the user's own training data set was used, if its data
    set is the same one.
    """
    own = (cfg.get('train_dataloader') or {}).get('dataset')
    theirs = _dataset_of((content.get('meta') or {}).get('cfg'))
    if own is None or theirs is None or _plain(theirs) != _plain(own.to_dict()):
        return set()
    try:
        dataset = DATASETS.build(_with_indices(own.to_dict(), theirs))
    except OSError:  # the training's annotations are not here
        return set()
    return image_names(Subset(dataset, range(len(dataset))))


def _with_indices(own: Any, theirs: Any) -> Any:
    """Our data set, wrapped ones too, with the part that theirs used."""
    if isinstance(own, Mapping) and isinstance(theirs, Mapping):
        kept = {k: _with_indices(v, theirs.get(k)) for k, v in own.items() if k != 'indices'}
        return kept | ({'indices': theirs['indices']} if 'indices' in theirs else {})
    if isinstance(own, list) and isinstance(theirs, list) and len(own) == len(theirs):
        return [_with_indices(a, b) for a, b in zip(own, theirs, strict=True)]
    return own


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
