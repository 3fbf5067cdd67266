"""Which images halting is fitted on, and which ones the network was trained on."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader, Subset

from ..configs import type_name
from ..evaluation.sources import located, parts

SPEC = re.compile(r'(train|val|test)(?:\[(\d*):(\d*)(?::(\d*))?\])?')
ANNOTATIONS = 'LoadAnnotations'


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
        every = max(1, math.ceil(len(self.places(length)) / count))
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

    A slice of ``train`` counts all, also beyond the ``indices`` that the training was limited to.
    ValueError where there is no such data loader or image.
    """
    loader = cfg.get(f'{spec.part}_dataloader')
    if not loader:
        raise ValueError(f'config must have a {spec.part}_dataloader, for {spec}')
    dataset_cfg = copy.deepcopy(loader['dataset'])
    evaluation = cfg.get('val_dataloader') or cfg.get('test_dataloader') or loader
    for leaf in leaves(dataset_cfg):
        if spec.part == 'train':
            leaf['pipeline'] = copy.deepcopy(next(leaves(evaluation['dataset'])).get('pipeline'))
            leaf.pop('indices', None)
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


def leaves(cfg: Any, mixtures: bool = False) -> Iterator[Any]:
    """The configs of the data sets inside wrappers; ValueError for unwanted mixtures of images."""
    if 'Mix' in type_name(cfg) and not mixtures:
        raise ValueError(
            f'images of a {type_name(cfg)} are mixtures: name the images of another data loader'
        )
    if 'datasets' in cfg:
        for each in cfg['datasets']:
            yield from leaves(each, mixtures)
    elif 'dataset' in cfg:
        yield from leaves(cfg['dataset'], mixtures)
    else:
        yield cfg


def trained_images(cfg: Config, content: Mapping[str, Any]) -> set[Any]:
    """Files of the config's training images; empty where they are unknown or not here.

    Its ``indices`` count only if the config in the checkpoint's ``content`` has them, too. That is text
    from anywhere, of which nothing is run.
    """
    if not (loader := cfg.get('train_dataloader')):
        return set()
    dataset_cfg = copy.deepcopy(loader['dataset'])
    said = str((content.get('meta') or {}).get('cfg'))
    of_train = re.search(r'^train_dataloader ?=.*?(?=^\w+ ?=|\Z)', said, re.MULTILINE | re.DOTALL)
    text = _compact(of_train[0]) if of_train else ''
    for leaf in leaves(dataset_cfg, mixtures=True):
        wanted = _compact(f'indices={leaf.get("indices")}')
        if not re.search(rf'\b{re.escape(wanted)}(?!\d)', text):
            leaf.pop('indices', None)
    try:
        dataset = DATASETS.build(dataset_cfg)
    except Exception:  # of any data set whose files are not here
        return set()
    return image_names(Subset(dataset, range(len(dataset))))


def _compact(text: Any) -> str:
    """Python as mmengine writes and breaks it, without what it may leave out."""
    return re.sub(r'\s', '', str(text)).replace(',]', ']')


def image_infos(subset: Any) -> Iterator[dict[str, Any]]:
    """Of each image what its innermost data set says, files and labels, and its ``place`` there."""
    numbers = {id(part): n for n, part in enumerate(parts(subset))}
    for i in range(len(subset)):
        part, place = located(subset, i)
        info = part.get_data_info(place) if hasattr(part, 'get_data_info') else {}
        yield {'place': (numbers[id(part)], place), **info}


def image_keys(subset: Any) -> list[Any]:
    """Of each image its file, or else its place in the innermost data set: copies share the key."""
    return [i.get('img_path') or i.get('filename') or i['place'] for i in image_infos(subset)]


def image_names(subset: Any) -> set[Any]:
    """Files of a subset's images; empty where its data set does not say."""
    return {key for key in image_keys(subset) if not isinstance(key, tuple)}
