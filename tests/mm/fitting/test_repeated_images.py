"""Data sets that show an image several times: its copies are one source."""

from __future__ import annotations

import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, init_default_scope

from iterbackbone.mm.fitting.command import _groups, _loaders
from iterbackbone.mm.fitting.images import FitOptions, ImageSpec


@DATASETS.register_module()
class FewImages(BaseDataset):
    """Three images; those without files are told apart by their place only."""

    METAINFO = dict(classes=('a', 'b'))

    def __init__(self, folder=None):
        self.folder = folder
        super().__init__()

    def load_data_list(self):
        file = {} if self.folder is None else dict(img_path=f'{self.folder}/{{}}.png')
        return [{k: v.format(i) for k, v in file.items()} | dict(labels=[i]) for i in range(3)]

    def get_cat_ids(self, i):
        return [0] if i < 2 else [1]


FILES, UNNAMED = dict(type='FewImages', folder='images'), dict(type='FewImages')
PAIRS = dict(type='ConcatDataset', datasets=[FILES, UNNAMED])
WRAPPED = {
    'repeated files': (dict(type='RepeatDataset', times=2, dataset=FILES), [0, 1, 2] * 2),
    'repeated places': (dict(type='RepeatDataset', times=2, dataset=UNNAMED), [0, 1, 2] * 2),
    'several parts': (dict(type='RepeatDataset', times=2, dataset=PAIRS), [0, 1, 2, 3, 4, 5] * 2),
    'the same files twice': (dict(type='ConcatDataset', datasets=[FILES, FILES]), [0, 1, 2] * 2),
    'balanced': (
        dict(type='ClassBalancedDataset', oversample_thr=1.0, dataset=UNNAMED),
        [0, 0, 1, 1, 2, 2],
    ),
    'plain': (UNNAMED, [0, 1, 2]),
}


OTHERS = dict(type='FewImages', folder='others')


def loaders(dataset, calibrate='test', fit='val', other=OTHERS):
    init_default_scope('mmengine')
    cfg = Config(dict(val_dataloader=dict(dataset=dataset), test_dataloader=dict(dataset=other)))
    options = FitOptions(ImageSpec.parse(fit), ImageSpec.parse(calibrate))
    return _loaders(cfg, options), options


@pytest.mark.parametrize('case', WRAPPED)
def test_copies_are_of_one_source(case):
    dataset, sources = WRAPPED[case]
    groups, _ = _groups(*loaders(dataset))
    assert groups.tolist() == sources


@pytest.mark.parametrize('case', ['repeated files', 'repeated places'])
def test_copies_are_not_shared(case):
    dataset, _ = WRAPPED[case]
    with pytest.raises(ValueError, match=r'must not share images, .* 3 in common'):
        loaders(dataset, 'val[3:]', 'val[:3]')
    loaders(dataset, 'val[2::3]', 'val[:2]')


@pytest.mark.parametrize('dataset', [FILES, UNNAMED], ids=['files', 'places'])
def test_two_loaders_of_one_data_set_share_its_images(dataset):
    """As mmpretrain's configs say test_dataloader = val_dataloader, also of CIFAR's archives."""
    with pytest.raises(ValueError, match=r'must not share images, .* 3 in common'):
        loaders(dataset, other=dataset)
    loaders(dataset, 'test[1:]', 'val[:1]', other=dataset)
