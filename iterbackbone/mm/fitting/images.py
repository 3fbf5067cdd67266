"""Which images halting is fitted on: a part of one of the config's data sets."""

from __future__ import annotations

import copy
import re
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader, Subset

PARTS = ('train', 'val', 'test')
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
        """``val``, ``train[1400:]``, ``test[0:250]`` or ``val[1::2]``.

        Raises:
            ValueError: ``text`` is nothing of that kind.
        """
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

    def first(self, count: int) -> ImageSpec:
        """At most ``count`` of these images."""
        stop = self.start + count * self.step
        return self._replace(stop=stop if self.stop is None else min(stop, self.stop))


def image_loader(cfg: Config, spec: ImageSpec) -> DataLoader:
    """The images in the test pipeline's form, with annotations in the frame of the input.

    Args:
        cfg: A whole config; images of the training set go through the test pipeline, too.
        spec: Which ones.

    Raises:
        ValueError: the config has no such data loader, or it has no such images.
    """
    loader = cfg.get(f'{spec.part}_dataloader')
    if not loader:
        raise ValueError(f'config must have a {spec.part}_dataloader, for {spec}')
    dataset_cfg = copy.deepcopy(loader['dataset'])
    evaluation = cfg.get('val_dataloader') or cfg.get('test_dataloader') or loader
    if spec.part == 'train':
        _set_pipeline(dataset_cfg, _pipeline(evaluation['dataset']))
    _set_pipeline(dataset_cfg, annotations_first(_pipeline(dataset_cfg)))
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
    if not pipeline:
        return pipeline
    names = [str(step.get('type')).split('.')[-1] for step in pipeline]
    if ANNOTATIONS not in names or not pipeline[names.index(ANNOTATIONS)].get('with_bbox'):
        return pipeline
    steps = list(pipeline)
    annotations = steps.pop(names.index(ANNOTATIONS))
    first = next((i for i, name in enumerate(names) if 'Resize' in name), 1)
    steps.insert(min(first, len(steps)), annotations)
    return steps


def _pipeline(cfg: Any) -> Any:
    """Of a data set, or of the one inside its wrappers."""
    while isinstance(cfg, dict) and 'pipeline' not in cfg and 'dataset' in cfg:
        cfg = cfg['dataset']
    return cfg.get('pipeline') if isinstance(cfg, dict) else None


def _set_pipeline(cfg: Any, pipeline: Any) -> None:
    while 'pipeline' not in cfg and 'dataset' in cfg:
        cfg = cfg['dataset']
    if pipeline is not None:
        cfg['pipeline'] = pipeline
