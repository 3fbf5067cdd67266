"""What a user chooses of a fit."""

from __future__ import annotations

from typing import NamedTuple

from .images import ImageSpec


class FitOptions(NamedTuple):
    """What the user chose.

    Attributes:
        fit, calibrate: Images for the units, and others for budgets and figures.
        group_by: Metainfo key of an image's source, or None: each is its own.
        trained_on_these: Whether images that the features were trained on are allowed.
        max_drop: In points of score, or None.
        device: Such as ``'cpu'``.
    """

    fit: ImageSpec
    calibrate: ImageSpec
    group_by: str | None = None
    trained_on_these: bool = False
    max_drop: float | None = None
    device: str = 'cpu'
