"""Loss and score of each image of a batch, given its features: by the model's own heads."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

SEED = 0  # of samplers


class ImageLoss(NamedTuple):
    """Of one image: the sum of the losses, and a score if the task has one for an image."""

    loss: float
    score: float | None


Features = Sequence[Tensor]
ImageLosses = Callable[[Features, Sequence[Any]], list[ImageLoss]]
"""(features of the neck, B data samples) -> B losses."""


def losses_of(model: nn.Module) -> ImageLosses:
    """How the losses of this model's images are computed; ValueError for an unknown kind of model."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if 'DetectionTransformer' in kinds:
        raise ValueError(f'model must not match targets by its predictions, got {type(model).__name__}')
    if hasattr(model, 'roi_head') and getattr(model, 'rpn_head', None) is not None:
        return TwoStageLosses(model)
    for name, losses in HEADS.items():
        head = getattr(model, name, None)
        usable = not isinstance(head, nn.ModuleList) and hasattr(head, 'loss')
        if usable and not hasattr(model, 'roi_head'):
            return partial(losses, model)
    raise ValueError(
        'model must be a classifier with a head, a detector with a bbox_head or roi_head, or a '
        f'segmentor with one decode_head, got {type(model).__name__}'
    )


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
        with seeded_losses(model.bbox_head):
            loss = total(model.bbox_head.loss(one_image(features, i), [sample]))
        found.append(ImageLoss(loss, None))
    return found


HEADS = {'bbox_head': dense_losses, 'decode_head': segmentation_losses, 'head': class_losses}


class TwoStageLosses:
    """Compares depths of mmdet's two-stage detector on the same RoIs, of images or of single RoIs.

    Those sampled from the proposals of the features with which an image is first seen: they must be
    those of full depth.

    Attributes:
        proposals: Of each image, by its key.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.proposals: dict[Any, Any] = {}

    @property
    def has_regions(self) -> bool:
        """Whether one box head makes the loss of a region; cascades have several."""
        return not isinstance(self.model.roi_head.bbox_head, nn.ModuleList)

    def __call__(self, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
        check_boxes(samples)
        if any(_key(sample) not in self.proposals for sample in samples):
            found = self.model.rpn_head.predict(tuple(features), list(samples), rescale=False)
            self.proposals.update(zip(map(_key, samples), found, strict=True))
        losses = (self._of_image(one_image(features, i), each) for i, each in enumerate(samples))
        return [ImageLoss(loss, None) for loss in losses]

    def _of_image(self, features: Features, sample: Any) -> float:
        model = self.model
        ignoring_classes = copy.deepcopy(sample)
        ignoring_classes.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
        with seeded_losses(model.rpn_head, model.roi_head):
            rpn = model.rpn_head.loss(features, [ignoring_classes])
            proposals = copy.deepcopy(self.proposals[_key(sample)])
            roi = model.roi_head.loss(features, [proposals], [copy.deepcopy(sample)])
        return total({**{f'rpn_{k}': v for k, v in rpn.items()}, **roi})

    def region_losses(self, features: Features, i: int, sample: Any) -> Tensor:
        """Classification and box loss of each sampled region of image ``i``, (R,) float64.

        Their mean is the image's loss of the box head.
        """
        from mmdet.structures.bbox import bbox2roi  # classifiers and segmentors do without mmdet

        own, head = one_image(features, i), self.model.roi_head
        with seeded_losses(head):
            sampled = self._sampled(own, sample)
            rois = bbox2roi([sampled.priors])
            found = head._bbox_forward(own, rois)
            if not len(rois):  # mmdet's heads return no loss then
                return torch.zeros(0, dtype=torch.double)
            outputs = found['cls_score'], found['bbox_pred'], rois, [sampled], head.train_cfg
            losses = head.bbox_head.loss_and_target(*outputs, reduction_override='none')['loss_bbox']
        rows = losses['loss_cls'].double().reshape(len(rois), -1).sum(dim=1)
        if positive := len(sampled.pos_priors):  # they come first
            rows[:positive] += losses['loss_bbox'].double().reshape(positive, -1).sum(dim=1)
        return rows.cpu()

    def _sampled(self, features: Features, sample: Any) -> Any:
        """As the RoI head's own loss draws them."""
        head, proposals = self.model.roi_head, copy.deepcopy(self.proposals[_key(sample)])
        proposals.priors = proposals.pop('bboxes')
        truth, ignored = sample.gt_instances, sample.get('ignored_instances')
        assigned = head.bbox_assigner.assign(proposals, truth, ignored)
        return head.bbox_sampler.sample(assigned, proposals, truth, feats=list(features))


def run_regions(model: Any, features: Features, samples: Sequence[Any]) -> None:
    """The RoI head on the proposals of an evaluation, for what it executes."""
    proposals = model.rpn_head.predict(tuple(features), samples, rescale=False)
    model.roi_head.predict(tuple(features), proposals, samples, rescale=False)


def total(losses: dict[str, Any]) -> float:
    """Sum of all losses, as mmengine's parse_losses adds them up."""
    values = [v for key, v in losses.items() if 'loss' in key]
    flat = [x for v in values for x in (v if isinstance(v, (list, tuple)) else [v])]
    return float(sum(x.mean() for x in flat))


def one_image(features: Features, i: int) -> tuple[Tensor, ...]:
    """Features of image ``i`` of a batch."""
    return tuple(f[i : i + 1] for f in features)


def check_boxes(samples: Sequence[Any]) -> None:
    """Raise ValueError where an image has no annotations."""
    if any('gt_instances' not in sample for sample in samples):
        raise ValueError('images must have gt_instances to be fitted on: LoadAnnotations is missing')


def check_finite(losses: Sequence[ImageLoss], samples: Sequence[Any]) -> None:
    """Raise ValueError for an image whose loss is no number, as one with a box without area."""
    for sample, found in zip(samples, losses, strict=True):
        if not math.isfinite(found.loss):
            name = sample.metainfo.get('img_path')
            raise ValueError(f'images must have finite losses, got {found.loss} of {name}')


@contextmanager
def seeded_losses(*heads: nn.Module) -> Iterator[None]:
    """Heads themselves as in training, with samplers that draw the same at every depth.

    FCOS and others scale predictions otherwise. Their layers stay in evaluation mode.
    """
    modes = [head.training for head in heads]
    for head in heads:
        head.training = True
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            yield
    finally:
        for head, mode in zip(heads, modes, strict=True):
            head.training = mode


def _key(sample: Any) -> Any:
    return sample.metainfo.get('img_path') or sample.metainfo['img_id']
