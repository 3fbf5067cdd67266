"""The probe on one image a class: its groups, its folds and a whole report."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.pretraining import probe_imagenet as probe


def test_groups_do_not_overlap():
    things, kinds = probe.groups()
    assert things.bincount().tolist() == [398, 602]
    assert sum(len(members) for members in probe.KINDS.values()) == 59 + 44 + 118 + 100
    assert kinds[: probe.ANIMALS].bincount().tolist() == [59, 44, 118, 100, 77]
    assert (kinds[probe.ANIMALS :] == len(probe.KINDS)).all()
    some = {'tench': 0, 'cock': 7, 'tree frog': 31, 'chihuahua': 151, 'otter': 360, 'abacus': 398}
    assert [int(kinds[i]) for i in some.values()] == [4, 0, 1, 2, 3, 4]


def test_a_row_is_named_by_a_classifier_that_has_not_seen_it():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 4, generator=generator)
    y = (x[:, 0] > 0).long()
    assert probe.right(x, y).mean() > 0.9
    noise = torch.randint(2, (300,), generator=generator)
    assert 0.4 < probe.right(torch.eye(300), noise).mean() < 0.6  # each row is known by itself alone


def test_the_gain_has_the_interval_of_a_paired_difference():
    hits, reference = torch.tensor([1.0, 1, 1, 0] * 25), torch.tensor([1.0, 0, 0, 0] * 25)
    half = 1.96 * np.std([0, 1, 1, 0] * 25, ddof=1) / 10
    expected = [pytest.approx(100 * (0.5 + side), abs=0.05) for side in (-half, half)]
    assert probe.summary(hits, reference) == dict(right=75.0, gain=expected)


def test_a_report(tmp_path, monkeypatch, capsys):
    images = tmp_path / 'images'
    images.mkdir()
    random = np.random.default_rng(0)
    for i in range(1000):
        pixels = random.integers(0, 255, (36, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f'n{i:08}_class.JPEG')
    words = ['probe', str(images), '--size', '32', '--out', str(tmp_path / 'report.json')]
    monkeypatch.setattr(sys, 'argv', words)
    monkeypatch.setattr(probe, 'FOLDS', 2)
    probe.main()
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['most frequent group']['animal_or_thing'] == pytest.approx(60.2)
    assert report['random weights']['kind_of_animal']['gain'] == [0, 0]
    assert report.keys() >= {'random weights', *probe.TAGS}
    (images / 'n00000000_class.JPEG').unlink()
    with pytest.raises(SystemExit, match=r'must hold 1000 \.JPEG images, .* holds 999'):
        probe.main()
