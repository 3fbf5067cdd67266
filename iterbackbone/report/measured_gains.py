"""Gains of several policies of one training, as the tool writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..stats.gain import Gain
from ..stats.gain_verdict import verdict


@dataclass(frozen=True)
class StaticBudget:
    """One entry of the menu, on the images that the gains are measured on.

    Attributes:
        name: Its iterations, such as '1/1/3'; the evaluation's name where these differ by image.
        cost: Mean MACs.
        share: Of those at full depth.
        score: In the unit of the gains.
        vertex: Whether it is one of the envelope's.
    """

    name: str
    cost: float
    share: float
    score: float
    vertex: bool


@dataclass(frozen=True)
class MeasuredGains:
    """What :func:`measure_evaluations` found.

    Attributes:
        score: Its name.
        unit: What the gains are measured in.
        menu: The static budgets.
        policies: Names of the policies.
        gains: Of each policy; ``vertices`` are places in ``menu``.
        notes: What a reader must know.
    """

    score: str
    unit: str
    menu: list[StaticBudget]
    policies: list[str]
    gains: list[Gain]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """As JSON knows it."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> MeasuredGains:
        """From a file of :meth:`as_json`; fields it does not know are left alone.

        Raises:
            ValueError: the file is missing or something else.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise ValueError(f'{path} holds no measured gains: {error}') from None


def verdict_of(seeds: Sequence[MeasuredGains]) -> str:
    """The sentence on several trainings.

    Raises:
        ValueError: they are of different scores.
    """
    scores = sorted({measured.score for measured in seeds})
    if len(scores) > 1:
        raise ValueError(f'all seeds must be of one score, got {scores}')
    return verdict([measured.gains for measured in seeds], seeds[0].unit)
