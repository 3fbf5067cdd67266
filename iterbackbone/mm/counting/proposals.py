"""A fixed number of proposals for two-stage detectors, whatever their weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import nn


def most_proposals(model: nn.Module) -> int | None:
    """``test_cfg.rpn.max_per_img``; None where no RPN of the model proposes regions."""
    rpn = (getattr(model, 'test_cfg', None) or {}).get('rpn')
    return rpn.get('max_per_img') if rpn and hasattr(model, 'rpn_head') else None


@contextmanager
def fixed_proposals(model: nn.Module, number: int | None) -> Iterator[None]:
    """Make the RPN predict exactly ``number`` proposals an image; None changes nothing.

    Too many are cut, too few repeated: random weights propose too few. A RoI costs the same
    wherever it lies.
    """
    if number is None:
        yield
        return
    head: Any = model.rpn_head
    predict = head.predict
    head.predict = lambda *args, **kwargs: [
        _exactly(number, proposals) for proposals in predict(*args, **kwargs)
    ]
    try:
        yield
    finally:
        del head.predict  # the class's method shows again


def _exactly(number: int, proposals: InstanceData) -> InstanceData:
    if not len(proposals):
        boxes, scores = torch.zeros(number, 4), torch.zeros(number)
        return InstanceData(bboxes=boxes, scores=scores, labels=scores.long())
    return proposals[torch.arange(number) % len(proposals)]
