"""A policy beside its depths on other images, where images share sources."""

from __future__ import annotations

import numpy as np

from iterbackbone.stats.gain import gain


def test_shuffles_go_by_source():
    """Depths of whole sources, independent of what depth does: single shuffled images are too alike."""
    rejected = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sources = np.arange(40).repeat(50)
        gained = rng.choice([-0.15, 0.35], size=40)[sources]
        chances = np.stack([0.5 + 0 * gained, 0.5 + gained / 2, 0.5 + gained])
        menu, cost = 100.0 * (rng.random((3, 2000)) < chances), np.array([1.0, 2.0, 3.0])
        depths = rng.integers(3, size=40)[sources]
        own = menu[depths, np.arange(2000)]
        options = dict(choices=depths, groups=sources, resamples=300, shuffles=300)
        found = gain(cost[depths], own, cost, menu, vertices=[0, 2], **options)
        rejected += found.shuffled.p_value < 0.01
    assert rejected <= 2
