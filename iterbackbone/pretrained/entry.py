"""The entry of a network by name: built by timm, frozen where its weights are trained ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..core.entry import Entry


class TimmEntry(nn.Module):
    """What mmseg's ``TIMMBackbone`` is in a config; the same state-dict keys.

    Args:
        options: ``model_name`` and further arguments of ``timm.create_model``.
        in_channels: Of the images.

    Raises:
        ImportError: timm is not installed.
    """

    def __init__(self, options: Mapping[str, Any], in_channels: int = 3) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise ImportError(
                f'{options["model_name"]} is a network of timm: pip install timm'
            ) from error
        self.timm_model = timm.create_model(
            **options, in_chans=in_channels, features_only=True, pretrained=False
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) -> maps of falling size."""
        return self.timm_model(x)


def timm_entry(options: Mapping[str, Any], channels: int, trained: int | None) -> Entry:
    """What timm builds of ``options``, frozen as their ``frozen`` says.

    Args:
        options: Of :class:`TimmEntry`, and ``frozen``; by default frozen where the first kernel of
            its weights stays as it is.
        channels: Of the images.
        trained: Channels that it has weights for; None without any.
    """
    options = dict(options)
    frozen = options.pop('frozen', channels == trained)
    return Entry(TimmEntry(options, channels), channels, frozen)


def has_frozen_entry(model: nn.Module) -> bool:
    """Whether a backbone, or that below a classifier, begins with a frozen entry."""
    entry = _entry_of(model)
    return entry is not None and entry.frozen


def take_over(model: nn.Module, source: nn.Module) -> None:
    """Take the weights of ``source``, which has the same keys, and freeze the entry as there."""
    model.load_state_dict(source.state_dict())
    entry = _entry_of(model)
    if entry is not None and has_frozen_entry(source):
        entry.freeze()


def of_file(state: dict[str, Tensor], model: nn.Module, options: object) -> dict[str, Tensor]:
    """What timm reads of a file, without stages that the model leaves out.

    An entry of ``options`` is frozen as by :func:`timm_entry`.
    """
    entry = _entry_of(model)
    if entry is not None:
        kernels = entry.state_dict(prefix='backbone.stem.').items()
        frozen = all(key in state and state[key].shape == x.shape for key, x in kernels)
        if isinstance(options, Mapping):
            frozen = options.get('frozen', frozen)
        if frozen:
            entry.freeze()
    stages = {_stage(key) for key in model.state_dict()}
    return {key: x for key, x in state.items() if _stage(key) in {None, *stages}}


def _stage(key: str) -> str | None:
    """K of ``backbone.stages.K``; None elsewhere."""
    words = key.split('.')
    return words[2] if words[:2] == ['backbone', 'stages'] else None


def _entry_of(model: nn.Module) -> Entry | None:
    stem = getattr(model, 'backbone', model).stem
    return stem if isinstance(stem, Entry) else None
