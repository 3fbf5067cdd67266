"""Which images of the data set make up each batch of a DataLoader."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Any

from torch.utils.data import DataLoader

Index = int | tuple[int, ...]


class SampledIndices:
    """Stands in for a DataLoader's batch sampler and keeps what it yields.

    Data samples do not say their place in the data set: behind wrappers such as
    ``ConcatDataset`` their ``sample_idx`` is the wrapped data set's, and samplers reorder.
    """

    def __init__(self, batch_sampler: Iterable[list[Any]]) -> None:
        self._batch_sampler: Any = batch_sampler
        self._batches: list[list[Any]] = []

    @classmethod
    def of(cls, dataloader: Any) -> SampledIndices:
        """The one in ``dataloader``, put there once; without effect on other kinds of loaders."""
        batch_sampler = getattr(dataloader, 'batch_sampler', None)
        if isinstance(batch_sampler, cls):
            return batch_sampler
        if batch_sampler is None or not isinstance(dataloader, DataLoader):
            return cls(())
        indices = cls(batch_sampler)
        # DataLoader forbids the assignment, as running workers would not notice: it is the main
        # process that draws the indices.
        object.__setattr__(dataloader, 'batch_sampler', indices)
        return indices

    def batch(self, number: int, size: int) -> list[Index | None]:
        """Place in the data set of each image of a batch, None where it is unknown.

        Args:
            number: Of the batch in this pass over the data, from 0.
            size: Images of the batch.
        """
        drawn = self._batches[number] if number < len(self._batches) else []
        return [_plain(index) for index in drawn] if len(drawn) == size else [None] * size

    def __iter__(self) -> Iterator[list[Any]]:
        self._batches = []
        for indices in self._batch_sampler:
            self._batches.append(list(indices))
            yield indices

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def __getattr__(self, name: str) -> Any:
        if name == '_batch_sampler':  # not there yet while a copy is made
            raise AttributeError(name)
        return getattr(self._batch_sampler, name)


def _plain(index: Any) -> Index | None:
    """As an int, or ints such as the video and the frame that some samplers yield."""
    try:
        return operator.index(index)
    except TypeError:
        return tuple(map(operator.index, index)) if isinstance(index, (list, tuple)) else None
