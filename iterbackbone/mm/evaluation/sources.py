"""Where an evaluated image comes from: its place in the data set, annotations there, transforms."""

from __future__ import annotations

import copy
import operator
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import mmcv.image.io as image_io
import numpy as np
from torch.utils.data import DataLoader, IterableDataset, RandomSampler

Index = int | tuple[int, ...]


def sampled_indices(dataloader: Any) -> list[list[Index | None]]:
    """The place in the data set of each image of each batch; [] where nothing says it beforehand.

    Data samples do not: samplers reorder, and ``sample_idx`` is that in a wrapped data set. A sampler
    that draws anew each time cannot be asked twice.
    """
    if not isinstance(dataloader, DataLoader) or isinstance(dataloader.dataset, IterableDataset):
        return []
    sampler = dataloader.batch_sampler
    if sampler is None or isinstance(dataloader.sampler, RandomSampler):
        return []
    if any(iter(each) is iter(each) for each in (sampler, getattr(sampler, 'sampler', ()))):
        return []  # an iterator: what is drawn here would be lost
    drawn, again = (
        # One more than there are: some samplers tidy up behind their last batch.
        [list(map(_plain, batch)) for batch in islice(sampler, len(sampler) + 1)]
        for _ in range(2)
    )
    return drawn if drawn == again else []


def _plain(index: Any) -> Index | None:
    """As an int, or ints such as the video and the frame that some samplers yield."""
    try:
        return operator.index(index)
    except TypeError:
        return tuple(map(operator.index, index)) if isinstance(index, (list, tuple)) else None


class Source(NamedTuple):
    """What is known of an image's origin."""

    info: dict[str, Any] | None  # the data set's own, before any transform; None where it is unknown
    transforms: list[Any]  # in order, also those inside wrappers; all parts' where its own is unknown
    part: Any = None  # its innermost data set; None where it is unknown

    @classmethod
    def of(cls, dataset: Any, metainfo: dict[str, Any], index: Index | None) -> Source:
        """By a sample's metainfo and its place in mmengine's ``BaseDataset``, wrappers or ``Subset``s.

        The place is an index, or a video and a frame.
        """
        place, *frame = index if isinstance(index, tuple) else (index,)
        said = {key: metainfo.get(key) for key in ('img_path', 'img_id')}
        try:
            part, inner = located(dataset, place)
            info = part.get_data_info(inner)
            if frame or hasattr(part, 'num_all_imgs'):  # a video's
                info = info['images'][(frame or [0])[0]]
            # A wrapper may order its images in its own way.
            known = all(value is None or info.get(key, value) == value for key, value in said.items())
        except (AttributeError, IndexError, KeyError, TypeError):  # data sets of other kinds
            known = False
        if known:
            return cls(info, _transforms_of([part]), part)
        return cls(None, _transforms_of(parts(dataset)))

    def named(self, *words: str) -> list[Any]:
        """The transforms whose class's name has one of the words."""
        return [each for each in self.transforms if any(w in type(each).__name__ for w in words)]

    def label_map(self) -> np.ndarray | None:
        """The annotated map before any transform, (H, W); None where it cannot be loaded."""
        loaders = self.named('LoadAnnotations')
        if self.info is None or not loaders:
            return None
        try:
            loaded = loaders[0](copy.deepcopy(self.info))['gt_seg_map']
        except Exception:  # a loader may need what an earlier transform leaves
            return None
        return loaded if loaded.ndim == 2 else None

    def ignores_exif(self) -> bool:
        """Whether mmcv reads images as their files hold them, whatever their EXIF orientation.

        False where no transform says how it reads.
        """
        readers = [each for each in self.transforms if hasattr(each, 'color_type')]
        return bool(readers) and all(map(_ignores_exif, readers))


def parts(dataset: Any) -> Iterator[Any]:
    """The innermost data sets."""
    wrapped = [dataset.dataset] if hasattr(dataset, 'dataset') else None
    inner = getattr(dataset, 'datasets', wrapped)
    if inner is None:
        yield dataset
    for part in inner or []:
        yield from parts(part)


def located(dataset: Any, index: Any) -> tuple[Any, int]:
    """The innermost data set of an image and its place there."""
    if hasattr(dataset, 'datasets'):
        part = bisect_right(dataset.cumulative_sizes, index)
        first = dataset.cumulative_sizes[part - 1] if part else 0
        return located(dataset.datasets[part], index - first)
    if not hasattr(dataset, 'dataset'):
        return dataset, index
    # mmengine's repeating wrappers; what mmpretrain's KFoldDataset wraps is the fold alone.
    if hasattr(dataset, '_get_ori_dataset_idx') and len(dataset) != len(dataset.dataset):
        return located(dataset.dataset, dataset._get_ori_dataset_idx(index))
    indices = getattr(dataset, 'indices', None)  # torch's Subset
    return located(dataset.dataset, index if indices is None else indices[index])


def _transforms_of(datasets: Iterable[Any]) -> list[Any]:
    pipelines = [getattr(each, 'pipeline', None) for each in datasets]
    return [transform for pipeline in pipelines for transform in _transforms(pipeline)]


def _transforms(transform: Any) -> Iterator[Any]:
    inner = getattr(transform, 'subroutines', None) or getattr(transform, 'transforms', None)
    inner = getattr(inner, 'transforms', inner)
    parts = [part for part in inner or [] if callable(part)]
    if transform is not None and not parts:
        yield transform
    for part in parts:
        yield from _transforms(part)


def _ignores_exif(reader: Any) -> bool:
    backend = getattr(reader, 'imdecode_backend', None) or image_io.imread_backend
    # turbojpeg and tifffile know no orientation.
    return backend not in ('cv2', 'pillow') or reader.color_type not in ('color', 'grayscale', 0, 1)
