"""Images as the test pipeline of a config hands them to the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from ...core.macs import Size


def prepared(cfg: Config, files: list[Path]) -> Iterator[np.ndarray]:
    """Each file after the test pipeline, (1, 3, H, W) uint8 in RGB."""
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    pipeline = Compose([step for step in pipeline_of(cfg) if 'Annotations' not in str(step['type'])])
    for file in files:
        with mmengine.DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            inputs = pipeline({'img_path': str(file), 'img_id': 0})['inputs']
        yield np.ascontiguousarray(inputs.numpy()[None, ::-1])


def pipeline_of(cfg: Config) -> list[dict[str, Any]]:
    """The test pipeline, through datasets that wrap others; [] where there is none."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while not dataset.get('pipeline') and 'dataset' in dataset:
        dataset = dataset['dataset']
    return list(dataset.get('pipeline') or [])


def noise(size: Size, count: int) -> Iterator[np.ndarray]:
    """(1, 3, H, W) uint8; images of noise, a little larger one after the other."""
    generator = np.random.default_rng(0)
    for k in range(count):
        yield generator.integers(0, 256, (1, 3, size[0] + 16 * k, size[1] + 24 * k), dtype=np.uint8)
