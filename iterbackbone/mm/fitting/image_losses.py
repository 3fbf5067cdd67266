"""Loss and score of each image of a batch, given its features: by the model's own heads."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

SEED = 0  # of samplers: the same at every depth


class ImageLoss(NamedTuple):
    """Of one image: the sum of the losses, and a score if the task has one for an image."""

    loss: float
    score: float | None


Features = Sequence[Tensor]
ImageLosses = Callable[[Tensor, Features, Sequence[Any]], list[ImageLoss]]
"""(inputs (B, 3, H, W), features of the neck, B data samples) -> B losses."""


def losses_of(model: nn.Module) -> ImageLosses:
    """How the losses of this model's images are computed.

    Raises:
        ValueError: the model is of an unknown kind.
    """
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if 'DetectionTransformer' in kinds:
        raise ValueError(f'model must not match targets by its predictions, got {type(model).__name__}')
    if hasattr(model, 'roi_head') and getattr(model, 'rpn_head', None) is not None:
        return TwoStageLosses(model)
    for name, losses in (('bbox_head', _dense), ('decode_head', _segmentation), ('head', _class)):
        head = getattr(model, name, None)
        usable = not isinstance(head, nn.ModuleList) and hasattr(head, 'loss')
        if head is not None and usable and not hasattr(model, 'roi_head'):
            return lambda inputs, features, samples: losses(model, features, samples)
    raise ValueError(
        'model must be a classifier with a head, a detector with a bbox_head or roi_head, or a '
        f'segmentor with one decode_head, got {type(model).__name__}'
    )


def total(losses: dict[str, Any]) -> float:
    """Sum of all losses, as mmengine's parse_losses adds them up."""
    values = [v for key, v in losses.items() if 'loss' in key]
    flat = [x for v in values for x in (v if isinstance(v, (list, tuple)) else [v])]
    return float(sum(x.mean() for x in flat))


def _one(features: Features, i: int) -> tuple[Tensor, ...]:
    return tuple(f[i : i + 1] for f in features)


def _class(model: Any, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
    found = []
    for i, sample in enumerate(samples):
        own = _one(features, i)
        if sample.get('gt_label') is None or sample.gt_label.numel() != 1:
            raise ValueError('images must have one gt_label each to be fitted on')
        loss = total(model.head.loss(own, [sample]))
        predicted = model.head.predict(own, [copy.deepcopy(sample)])[0].pred_label
        found.append(ImageLoss(loss, float(predicted.item() in sample.gt_label.tolist())))
    return found


def _segmentation(model: Any, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
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


def _dense(model: Any, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
    _check_boxes(samples)
    return [
        ImageLoss(
            _seeded(lambda i=i: _dense_loss(model.bbox_head, _one(features, i), samples[i])), None
        )
        for i in range(len(samples))
    ]


class TwoStageLosses:
    """Compares depths on the same RoIs: those of the proposals at full depth.

    Args:
        model: mmdet's two-stage detector.

    Attributes:
        proposals: Of each image at full depth, by its key; to be filled by :meth:`keep_proposals`.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.proposals: dict[Any, Any] = {}

    def keep_proposals(self, features: Features, samples: Sequence[Any]) -> None:
        """Of a batch at full depth."""
        found = self.model.rpn_head.predict(tuple(features), list(samples), rescale=False)
        self.proposals.update(zip(map(_key, samples), found, strict=True))

    def __call__(self, inputs: Tensor, features: Features, samples: Sequence[Any]) -> list[ImageLoss]:
        _check_boxes(samples)
        return [
            ImageLoss(_seeded(lambda i=i: self._losses(_one(features, i), samples[i])), None)
            for i in range(len(samples))
        ]

    def _losses(self, features: tuple[Tensor, ...], sample: Any) -> dict[str, Any]:
        model = self.model
        ignoring_classes = copy.deepcopy(sample)
        ignoring_classes.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
        with computing_losses(model.rpn_head), computing_losses(model.roi_head):
            rpn = model.rpn_head.loss(features, [ignoring_classes])
            proposals = copy.deepcopy(self.proposals[_key(sample)])
            roi = model.roi_head.loss(features, [proposals], [copy.deepcopy(sample)])
        return {**{f'rpn_{k}': v for k, v in rpn.items()}, **roi}


def _check_boxes(samples: Sequence[Any]) -> None:
    if any('gt_instances' not in sample for sample in samples):
        raise ValueError('images must have gt_instances to be fitted on: LoadAnnotations is missing')


def _dense_loss(head: Any, features: tuple[Tensor, ...], sample: Any) -> dict[str, Any]:
    with computing_losses(head):
        return head.loss(features, [sample])


@contextmanager
def computing_losses(head: nn.Module) -> Iterator[None]:
    """The head itself as in training: FCOS and others scale predictions otherwise. Its layers stay."""
    training, head.training = head.training, True
    try:
        yield
    finally:
        head.training = training


def _key(sample: Any) -> Any:
    return sample.metainfo.get('img_path') or sample.metainfo['img_id']


def run_regions(model: Any, features: Features, samples: Sequence[Any]) -> None:
    """The RoI head on the proposals of an evaluation, for what it executes."""
    proposals = model.rpn_head.predict(tuple(features), samples, rescale=False)
    model.roi_head.predict(tuple(features), proposals, samples, rescale=False)


def _seeded(losses: Callable[[], dict[str, Any]]) -> float:
    """The total, with samplers that draw the same at every depth."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return total(losses())
