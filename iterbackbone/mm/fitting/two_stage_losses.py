"""Losses of two-stage detectors, of images and of their regions, on the same regions at all depths."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .image_losses import Features, ImageLoss, check_boxes, computing_losses, one_image, seeded, total


class TwoStageLosses:
    """Compares depths on the same RoIs.

    Those sampled from the proposals of the features with which an image is first seen: they must be
    those of full depth.

    Args:
        model: mmdet's two-stage detector.

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

    def __call__(self, inputs: Tensor, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
        check_boxes(samples)
        unseen = [sample for sample in samples if _key(sample) not in self.proposals]
        if unseen:
            found = self.model.rpn_head.predict(tuple(features), list(samples), rescale=False)
            self.proposals.update(zip(map(_key, samples), found, strict=True))
        return [
            ImageLoss(self._of_image(one_image(features, i), sample), None)
            for i, sample in enumerate(samples)
        ]

    def _of_image(self, features: tuple[Tensor, ...], sample: Any) -> float:
        model = self.model
        ignoring_classes = copy.deepcopy(sample)
        ignoring_classes.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
        with seeded(), computing_losses(model.rpn_head), computing_losses(model.roi_head):
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
        with seeded(), computing_losses(head):
            sampled = self._sampled(own, sample)
            rois = bbox2roi([sampled.priors])
            found = head._bbox_forward(own, rois)
            losses = head.bbox_head.loss_and_target(
                found['cls_score'],
                found['bbox_pred'],
                rois,
                [sampled],
                head.train_cfg,
                reduction_override='none',
            )['loss_bbox']
        rows = losses['loss_cls'].double().reshape(len(rois), -1).sum(dim=1)
        if positive := len(sampled.pos_priors):  # they come first
            rows[:positive] += losses['loss_bbox'].double().reshape(positive, -1).sum(dim=1)
        return rows.cpu()

    def _sampled(self, features: tuple[Tensor, ...], sample: Any) -> Any:
        """As the RoI head's own loss draws them."""
        head, proposals = self.model.roi_head, copy.deepcopy(self.proposals[_key(sample)])
        proposals.priors = proposals.pop('bboxes')
        truth, ignored = sample.gt_instances, sample.get('ignored_instances')
        assigned = head.bbox_assigner.assign(proposals, truth, ignored)
        return head.bbox_sampler.sample(assigned, proposals, truth, feats=list(features))


def _key(sample: Any) -> Any:
    return sample.metainfo.get('img_path') or sample.metainfo['img_id']


def run_regions(model: Any, features: Features, samples: Sequence[Any]) -> None:
    """The RoI head on the proposals of an evaluation, for what it executes."""
    proposals = model.rpn_head.predict(tuple(features), samples, rescale=False)
    model.roi_head.predict(tuple(features), proposals, samples, rescale=False)
