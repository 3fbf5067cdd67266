"""Which image of the data set a line is of: behind samplers that reorder and wrappers that renumber."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    InfiniteSampler,
    RepeatDataset,
    pseudo_collate,
)
from mmpretrain.datasets import KFoldDataset
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, Sampler, SequentialSampler

from iterbackbone.mm.evaluation.sources import sampled_indices
from tests.support.classifier_runs import classifier_run
from tests.support.openmmlab import read_log
from tests.support.tiny_training import LabelledImages, labelled_loader


class Upright(LabelledImages):
    """Every second image is taken for an upright one."""

    def get_data_info(self, i):
        return dict(width=8, height=8 + i % 2)


def by_ratio(dataset, collate_fn=list, drop_last=False, **options):
    sampler = SequentialSampler(dataset)
    sampler.dataset = dataset
    batches = AspectRatioBatchSampler(sampler, 2, drop_last)
    return DataLoader(dataset, batch_sampler=batches, collate_fn=collate_fn, **options)


@pytest.mark.parametrize('options', [{}, dict(num_workers=2, persistent_workers=True)])
def test_indices_of_two_passes_over_a_sampler_that_reorders(options):
    loader = by_ratio(Upright(5), **options)
    for _ in range(2):
        indices = sampled_indices(loader)
        assert indices == [[item['data_samples'].img_id for item in batch] for batch in loader]
        assert indices[-1] == [4]


@pytest.mark.parametrize(('images', 'drop_last'), [(8, False), (7, False), (6, True), (7, True)])
def test_a_sampler_that_tidies_up_behind_its_last_batch(images, drop_last):
    loader = by_ratio(Upright(images), drop_last=drop_last)
    indices = sampled_indices(loader)
    assert indices == [[item['data_samples'].img_id for item in batch] for batch in loader] != []


class Stream(IterableDataset):
    def __iter__(self):
        yield from range(3)


class Anew(Sampler):
    def __iter__(self):
        return iter(np.random.permutation(50))

    def __len__(self):
        return 50


@pytest.mark.parametrize(
    'loader',
    [
        DataLoader(Stream(), batch_size=2),
        DataLoader([1, 2], batch_size=None),
        DataLoader(range(1), shuffle=True),
        DataLoader(range(50), sampler=Anew(), batch_size=50),
        DataLoader(range(5), sampler=InfiniteSampler(range(5))),
        [[1, 2]],
    ],
)
def test_what_no_sampler_says_beforehand_is_unknown(loader):
    assert sampled_indices(loader) == []


class Once(Sampler):
    def __init__(self):
        self.places = iter(range(5))

    def __iter__(self):
        return self.places

    def __len__(self):
        return 5


def test_a_sampler_that_is_an_iterator_is_left_as_it_is():
    loader = DataLoader(range(5), sampler=Once(), collate_fn=list)
    assert sampled_indices(loader) == []
    assert list(loader) == [[0], [1], [2], [3], [4]]
    loader = DataLoader(range(5), batch_sampler=BatchSampler(Once(), 2, False), collate_fn=list)
    assert sampled_indices(loader) == []
    assert list(loader) == [[0, 1], [2, 3], [4]]


def test_the_log_stands_in_the_data_sets_order(tmp_path):
    runner = classifier_run(tmp_path, val_dataloader=by_ratio(Upright(5), pseudo_collate))
    runner.val()
    records, predictions, _ = read_log(Path(runner.log_dir, 'iterations/val_epoch_0'))
    assert [record['img_id'] for record in records] == [0, 1, 2, 3, 4]
    assert [line['img_id'] for line in predictions] == [0, 1, 2, 3, 4]


class Arrays(BaseDataset):
    """Images in memory, each of one grey value; no annotation file."""

    METAINFO = dict(classes=('dark', 'bright'))

    def __init__(self, *greys):
        self.greys = greys
        super().__init__(
            pipeline=[dict(type='mmpretrain.PackInputs')], serialize_data=True, test_mode=True
        )

    def load_data_list(self):
        return [dict(img=np.full((8, 8, 3), g, np.uint8), gt_label=int(g > 99)) for g in self.greys]

    def get_cat_ids(self, i):
        return [self.get_data_info(i)['gt_label']]


GREYS = (10, 20, 30, 200)


class Greys(Arrays):
    def __init__(self, **_):
        super().__init__(*GREYS)


WRAPPED = {
    'plain': (lambda: Arrays(*GREYS), GREYS),
    'concatenated': (lambda: ConcatDataset([Arrays(1, 2), Arrays(3, 4, 5)]), (1, 2, 3, 4, 5)),
    'repeated': (lambda: RepeatDataset(Arrays(1, 2), 2), (1, 2, 1, 2)),
    'a fold': (
        lambda: KFoldDataset(dict(type=Greys), fold=1, num_splits=2, seed=0, test_mode=True),
        (20, 200),
    ),
    'balanced': (lambda: ClassBalancedDataset(Arrays(*GREYS), 1.0), (10, 10, 20, 20, 30, 30, 200, 200)),
}


@pytest.mark.parametrize('wrapped', WRAPPED)
def test_images_in_memory_behind_wrappers(tmp_path, wrapped):
    build, greys = WRAPPED[wrapped]
    runner = classifier_run(tmp_path, val_dataloader=labelled_loader(build(), 2))
    runner.val()
    folder = Path(runner.log_dir, 'iterations/val_epoch_0')
    records, predictions, meta = read_log(folder)
    assert [record['img_id'] for record in records] == list(range(len(greys)))
    assert meta['dataset']['num_images'] == len(greys)
    shown = [cv2.imread(str(folder / line['picture']))[0, 0, 0] for line in predictions]
    assert shown == list(greys)
    assert [record['label'] for record in records] == [int(g > 99) for g in greys]
