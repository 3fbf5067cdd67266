"""Exported files and images for the runner's tests."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.support.shared_files import made_once


@pytest.fixture(scope='session')
def classifier(tmp_path_factory):
    """A file of a small classifier whose iterations vary, and the network it was made from."""
    from iterbackbone.mm.export.exported import exported
    from tests.support import exported_classifier

    folder = made_once(tmp_path_factory, 'exported_classifier', exported_classifier.write_classifier)
    return folder / 'out/model.onnx', exported(exported_classifier.classifier(folder))


@pytest.fixture(scope='session')
def pictures(tmp_path_factory):
    """A folder of six images of rising contrast, one of them grey and one with transparency."""
    folder = tmp_path_factory.mktemp('pictures')
    for k in range(6):
        pixels = np.random.default_rng(k).integers(0, 40 * (k + 1), (32, 32, 3), dtype=np.uint8)
        mode = {1: 'L', 2: 'RGBA'}.get(k, 'RGB')
        Image.fromarray(pixels).convert(mode).save(folder / f'{k}.png')
    return folder
