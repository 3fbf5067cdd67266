"""What an interrupted fit may go on from."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from torch.utils.data import DataLoader, Subset

from iterbackbone.mm.configs import read_config
from iterbackbone.mm.fitting import command
from iterbackbone.mm.fitting.command import _annotations, fit_checkpoint
from iterbackbone.mm.fitting.images import FitOptions, ImageSpec, image_loader
from tests.support.anytime_runs import train_anytime


@pytest.fixture(scope='module')
def trained(shapes_root, tmp_path_factory):
    """Config file and checkpoint of a classifier."""
    return train_anytime('classification', shapes_root, tmp_path_factory.mktemp('classification'))


def test_results_belong_to_the_labels(trained):
    cfg = read_config(trained[0])
    loader = image_loader(cfg, ImageSpec.parse('val'))
    before = _annotations(loader)
    assert before == _annotations(image_loader(cfg, ImageSpec.parse('val')))
    info = loader.dataset.dataset.get_data_info
    loader.dataset.dataset.get_data_info = lambda i: {**info(i), 'gt_label': 7}
    assert _annotations(loader) != before


def test_results_belong_to_the_label_maps(tmp_path):
    """Which are files beside the images: their paths stay where a map is corrected."""
    path = tmp_path / 'map.png'
    path.write_bytes(b'labels')
    info = dict(img_path='absent.png', seg_map_path=str(path))
    loader = DataLoader(Subset(SimpleNamespace(get_data_info=lambda _: info), [0]))
    before = _annotations(loader)
    assert before == _annotations(loader)
    path.write_bytes(b'corrected labels')
    assert _annotations(loader) != before


def test_results_belong_to_the_version(trained, tmp_path, monkeypatch):
    """Prices are told apart by the index's scale, not by what made the units."""
    found = []
    monkeypatch.setattr(command, 'ModelRuns', lambda *args: found.append(args[3]))
    monkeypatch.setattr(command, 'fit_halting', Mock(side_effect=InterruptedError))
    options = FitOptions(ImageSpec.parse('val[::2]'), ImageSpec.parse('val[1::2]'))
    for version in ('1', '1', '2'):
        monkeypatch.setattr(command, '__version__', version)
        with pytest.raises(InterruptedError):
            fit_checkpoint(*trained, tmp_path / 'no.pth', None, options)
    assert found[:3] == found[3:6]
    assert not set(found[3:6]) & set(found[6:])
