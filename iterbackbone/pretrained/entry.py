"""The entry of a network by name: built by timm, frozen where its weights are trained ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..core.entry import Entry


class TimmEntry(nn.Module):
    """What mmseg's ``TIMMBackbone`` is in a config; the same state-dict keys.

    ``options`` are ``model_name`` and further arguments of ``timm.create_model``.
    """

    def __init__(self, options: Mapping[str, Any], in_channels: int) -> None:
        super().__init__()
        import timm  # which other networks do without

        self.timm_model = timm.create_model(
            **options, in_chans=in_channels, features_only=True, pretrained=False
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> maps of falling size."""
        return self.timm_model(x)


def timm_entry(options: Mapping[str, Any], channels: int, trained: int | None) -> Entry:
    """What timm builds of ``options`` for images of ``channels``, frozen as their ``frozen`` says.

    By default it is frozen where it gets weights for as many channels, ``trained``.
    """
    options = dict(options)
    frozen = options.pop('frozen', channels == trained)
    return Entry(TimmEntry(options, channels), channels, frozen)


def entry_of(model: nn.Module) -> Entry | None:
    """With which a backbone, or that below a classifier, begins; None for a stem."""
    stem = getattr(model, 'backbone', model).stem
    return stem if isinstance(stem, Entry) else None
