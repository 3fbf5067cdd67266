"""What a table of the paper holds: one network a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmengine.config import ConfigDict
from torch import nn

from iterbackbone.mm.configs import build_model


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        name: The paper's.
        model: mmpretrain's config of the classifier; None where neither torchvision nor
            mmpretrain has the network.
        paper: Figures that the paper's running text states, by column; the bodies of its
            tables are not in the text.
        image_size: Height and width of the input in pixels, where it is not the table's.
    """

    name: str
    model: dict[str, Any] | None
    paper: Mapping[str, str] = field(default_factory=dict)
    image_size: int | None = None

    def build(self) -> nn.Module:
        """The network with random weights, in evaluation mode."""
        if self.model is None:
            raise ValueError(f'row must be of a network that can be built, got {self.name}')
        return build_model(ConfigDict(default_scope='mmpretrain', model=self.model))


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: The dataset and the paper's number of the table.
        image_size: Height and width of the input in pixels.
        accuracies: Columns of accuracy: ``top1``, ``top5``.
        parts: Rows, by the heading over them.
        notes: What the paper's text says of the table and fits no cell.
    """

    title: str
    image_size: int
    accuracies: tuple[str, ...]
    parts: Mapping[str, tuple[Row, ...]]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> dict[str, Row]:
        """All rows, by name."""
        return {row.name: row for part in self.parts.values() for row in part}

    def row(self, name: str) -> Row:
        """The row of that name.

        Raises:
            ValueError: there is none.
        """
        if name not in self.rows:
            raise ValueError(f'row must be one of {", ".join(self.rows)}, got {name!r}')
        return self.rows[name]

    def size(self, row: Row) -> tuple[int, int]:
        """(H, W) of a row's input in pixels."""
        return (row.image_size or self.image_size,) * 2
