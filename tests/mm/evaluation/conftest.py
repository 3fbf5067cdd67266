"""One evaluation of a segmentor that several files look at."""

from __future__ import annotations

import pytest

from tests.support.segmentation_runs import evaluate


@pytest.fixture(scope='session')
def whole(shapes_root, tmp_path_factory):
    """The runner and the folder of whole inference on the five images."""
    return evaluate(shapes_root, tmp_path_factory.mktemp('whole'))
