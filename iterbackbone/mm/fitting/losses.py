"""Loss and score of an image, given its features: by the model's own heads."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

SEED = 0  # of samplers


Features = tuple[Tensor, ...]  # of one image by the neck, (1, C, H, W) each
ImageLoss = tuple[float, float | None]  # sum of the losses, and a score if an image has one
LossOf = Callable[[Features, Any], ImageLoss]  # the latter is a data sample


def loss_of(model: nn.Module) -> LossOf:
    """How the loss of this model's images is computed; ValueError for an unknown kind of model."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if 'DetectionTransformer' in kinds:
        raise ValueError(f'model must not match targets by its predictions, got {type(model).__name__}')
    if hasattr(model, 'roi_head') and getattr(model, 'rpn_head', None) is not None:
        return TwoStageLoss(model)
    for name, loss in HEADS.items():
        head = getattr(model, name, None)
        usable = not isinstance(head, nn.ModuleList) and hasattr(head, 'loss')
        if usable and not hasattr(model, 'roi_head'):
            return partial(loss, model)
    raise ValueError(
        'model must be a classifier with a head, a detector with a bbox_head or roi_head, or a '
        f'segmentor with one decode_head, got {type(model).__name__}'
    )


def class_loss(model: Any, features: Features, sample: Any) -> ImageLoss:
    """Of a classifier, with top-1 accuracy."""
    if sample.get('gt_label') is None or sample.gt_label.numel() != 1:
        raise ValueError('images must have one gt_label each to be fitted on')
    loss = total(model, model.head.loss(features, [sample]), sample)
    predicted = model.head.predict(features, [copy.deepcopy(sample)])[0].pred_label
    return loss, float(predicted.item() in sample.gt_label.tolist())


def segmentation_loss(model: Any, features: Features, sample: Any) -> ImageLoss:
    """Of a segmentor, with pixel accuracy."""
    if 'gt_sem_seg' not in sample or any(sample.metainfo.get('img_padding_size', ())):
        raise ValueError('images must have a gt_sem_seg and no padding to be fitted on')
    losses = model.decode_head.loss_by_feat(model.decode_head(features), [sample])
    accuracy = losses.get('acc_seg')
    return total(model, losses, sample), None if accuracy is None else float(accuracy) / 100.0


def dense_loss(model: Any, features: Features, sample: Any) -> ImageLoss:
    """Of a one-stage detector."""
    check_boxes(sample)
    with seeded_losses(model.bbox_head):
        return total(model, model.bbox_head.loss(features, [sample]), sample), None


HEADS = {'bbox_head': dense_loss, 'decode_head': segmentation_loss, 'head': class_loss}


@dataclass
class TwoStageLoss:
    """Of mmdet's detector, on the RoIs that an image's first features, of full depth, propose."""

    model: Any
    proposals: dict[Any, Any] = field(default_factory=dict)  # of each image, by its key

    @property
    def has_regions(self) -> bool:
        """Whether one box head makes the loss of a region; cascades have several."""
        return not isinstance(self.model.roi_head.bbox_head, nn.ModuleList)

    def __call__(self, features: Features, sample: Any) -> ImageLoss:
        check_boxes(sample)
        model, key = self.model, _key(sample)
        if key not in self.proposals:
            (self.proposals[key],) = model.rpn_head.predict(features, [sample], rescale=False)
        ignoring_classes = copy.deepcopy(sample)
        ignoring_classes.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
        with seeded_losses(model.rpn_head, model.roi_head):
            rpn = model.rpn_head.loss(features, [ignoring_classes])
            proposals = copy.deepcopy(self.proposals[key])
            roi = model.roi_head.loss(features, [proposals], [copy.deepcopy(sample)])
        return total(model, {**{f'rpn_{k}': v for k, v in rpn.items()}, **roi}, sample), None

    def region_losses(self, features: Features, sample: Any) -> Tensor:
        """Of the box head, of each sampled region of an image, (R,) float64; their mean is its loss."""
        from mmdet.structures.bbox import bbox2roi  # classifiers and segmentors do without mmdet

        head, proposals = self.model.roi_head, copy.deepcopy(self.proposals[_key(sample)])
        proposals.priors = proposals.pop('bboxes')
        truth, ignored = sample.gt_instances, sample.get('ignored_instances')
        with seeded_losses(head):  # as the RoI head's own loss draws them
            assigned = head.bbox_assigner.assign(proposals, truth, ignored)
            sampled = head.bbox_sampler.sample(assigned, proposals, truth, feats=list(features))
            rois = bbox2roi([sampled.priors])
            found = head._bbox_forward(features, rois)
            if not len(rois):  # mmdet's heads return no loss then
                return torch.zeros(0, dtype=torch.double)
            outputs = found['cls_score'], found['bbox_pred'], rois, [sampled], head.train_cfg
            losses = head.bbox_head.loss_and_target(*outputs, reduction_override='none')['loss_bbox']
        rows = losses['loss_cls'].double().reshape(len(rois), -1).sum(dim=1)
        if positive := len(sampled.pos_priors):  # they come first
            rows[:positive] += losses['loss_bbox'].double().reshape(positive, -1).sum(dim=1)
        return rows.cpu()


def total(model: Any, losses: dict[str, Any], sample: Any) -> float:
    """As in training; ValueError for no number, as of a box without area."""
    found = float(model.parse_losses(losses)[0])
    if not math.isfinite(found):
        name = sample.metainfo.get('img_path')
        raise ValueError(f'images must have finite losses, got {found} of {name}')
    return found


def check_boxes(sample: Any) -> None:
    """Raise ValueError without annotations."""
    if 'gt_instances' not in sample:
        raise ValueError('images must have gt_instances to be fitted on: LoadAnnotations is missing')


@contextmanager
def seeded_losses(*heads: nn.Module) -> Iterator[None]:
    """Heads, not their layers, as in training (FCOS scales otherwise), the same draws each time."""
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
