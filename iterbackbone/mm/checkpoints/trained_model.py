"""A config's model with the weights of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from ..counting.model_building import build_model
from .checking import weights_for


def trained_model(cfg: Config, content: Mapping[str, Any], name: str, device: str) -> nn.Module:
    """The model in evaluation mode.

    Args:
        cfg: Of the model.
        content: Of the checkpoint.
        name: Of the checkpoint, for messages.
        device: Such as 'cuda:0'.

    Raises:
        ValueError: the weights do not fit the model, or there is no such device.
    """
    model = build_model(cfg)
    model.load_state_dict(weights_for(model, content, name), strict=False)
    return model.to(checked_device(device)).eval()


def checked_device(device: str) -> str:
    """The same, if torch can use it.

    Raises:
        ValueError: it cannot.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f'--device must be one that torch can use, got {device!r}: {first}') from None
    return device
