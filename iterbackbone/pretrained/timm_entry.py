"""Early stages of a network of timm, as the index of weights describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class TimmEntry(nn.Module):
    """What mmseg's ``TIMMBackbone`` is in a config; the same state-dict keys.

    Args:
        options: ``model_name`` and further arguments of ``timm.create_model``.

    Raises:
        ImportError: timm is not installed.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise ImportError(
                f'{options["model_name"]} is a network of timm: pip install timm'
            ) from error
        self.timm_model = timm.create_model(**options, features_only=True, pretrained=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> maps of falling size."""
        return self.timm_model(x)
