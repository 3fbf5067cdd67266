"""Which losses are a model's."""

from __future__ import annotations

from torch import nn

from .image_losses import ImageLosses, class_losses, dense_losses, segmentation_losses
from .two_stage_losses import TwoStageLosses

HEADS = {'bbox_head': dense_losses, 'decode_head': segmentation_losses, 'head': class_losses}


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
    for name, losses in HEADS.items():
        head = getattr(model, name, None)
        usable = not isinstance(head, nn.ModuleList) and hasattr(head, 'loss')
        if head is not None and usable and not hasattr(model, 'roi_head'):
            return lambda inputs, features, samples: losses(model, features, samples)
    raise ValueError(
        'model must be a classifier with a head, a detector with a bbox_head or roi_head, or a '
        f'segmentor with one decode_head, got {type(model).__name__}'
    )
