"""What a backbone's feature maps are, in timm's words."""

from __future__ import annotations

from typing import Any


class FeatureInfo(list[dict[str, Any]]):
    """One dict for each returned map: ``num_chs``, ``reduction`` (its stride), ``module``."""

    def channels(self) -> list[int]:
        """Channels of each map."""
        return [info['num_chs'] for info in self]

    def reduction(self) -> list[int]:
        """Stride of each map: input pixels to one of its own."""
        return [info['reduction'] for info in self]

    def module_name(self) -> list[str]:
        """Which module each map comes from."""
        return [info['module'] for info in self]
