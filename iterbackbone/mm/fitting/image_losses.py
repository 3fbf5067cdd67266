"""Loss and score of each image of a batch, given its features: by the model's own head."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

SEED = 0  # of samplers


class ImageLoss(NamedTuple):
    """Of one image: the sum of the losses, and a score if the task has one for an image."""

    loss: float
    score: float | None


Features = Sequence[Tensor]
ImageLosses = Callable[[Tensor, Features, Sequence[Any]], list[ImageLoss]]
"""(inputs (B, 3, H, W), features of the neck, B data samples) -> B losses."""


def total(losses: dict[str, Any]) -> float:
    """Sum of all losses, as mmengine's parse_losses adds them up."""
    values = [v for key, v in losses.items() if 'loss' in key]
    flat = [x for v in values for x in (v if isinstance(v, (list, tuple)) else [v])]
    return float(sum(x.mean() for x in flat))


def one_image(features: Features, i: int) -> tuple[Tensor, ...]:
    """Features of image ``i`` of a batch."""
    return tuple(f[i : i + 1] for f in features)


def class_losses(model: Any, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
    """Of a classifier, with top-1 accuracy."""
    found = []
    for i, sample in enumerate(samples):
        own = one_image(features, i)
        if sample.get('gt_label') is None or sample.gt_label.numel() != 1:
            raise ValueError('images must have one gt_label each to be fitted on')
        loss = total(model.head.loss(own, [sample]))
        predicted = model.head.predict(own, [copy.deepcopy(sample)])[0].pred_label
        found.append(ImageLoss(loss, float(predicted.item() in sample.gt_label.tolist())))
    return found


def segmentation_losses(model: Any, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
    """Of a segmentor, with pixel accuracy."""
    found = []
    logits = model.decode_head(tuple(features))
    if not isinstance(logits, Tensor):
        raise ValueError(f'decode_head must return one tensor, got {type(logits).__name__}')
    for i, sample in enumerate(samples):
        if 'gt_sem_seg' not in sample or any(sample.metainfo.get('img_padding_size', ())):
            raise ValueError('images must have a gt_sem_seg and no padding to be fitted on')
        losses = model.decode_head.loss_by_feat(logits[i : i + 1], [sample])
        accuracy = losses.get('acc_seg')
        score = None if accuracy is None else float(accuracy) / 100.0
        found.append(ImageLoss(total(losses), score))
    return found


def dense_losses(model: Any, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
    """Of a one-stage detector."""
    check_boxes(samples)
    found = []
    for i, sample in enumerate(samples):
        with seeded(), computing_losses(model.bbox_head):
            loss = total(model.bbox_head.loss(one_image(features, i), [sample]))
        found.append(ImageLoss(loss, None))
    return found


def check_boxes(samples: Sequence[Any]) -> None:
    """Raise ValueError where an image has no annotations."""
    if any('gt_instances' not in sample for sample in samples):
        raise ValueError('images must have gt_instances to be fitted on: LoadAnnotations is missing')


@contextmanager
def computing_losses(head: nn.Module) -> Iterator[None]:
    """The head itself as in training: FCOS and others scale predictions otherwise. Its layers stay."""
    training, head.training = head.training, True
    try:
        yield
    finally:
        head.training = training


@contextmanager
def seeded() -> Iterator[None]:
    """Samplers draw the same at every depth."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        yield
