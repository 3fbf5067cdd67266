"""From an RGB image of bytes to what the network sees, and what must be done to a file before that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.utils import to_2tuple
from torch import Tensor, nn

from ...core.macs import Size
from ..configs import type_name

STEPS_WITHOUT_EFFECT = ('LoadImageFromFile', 'LoadAnnotations', 'Pack')
DESCRIBED = {  # arguments of steps, and the only values that a description can stand for
    'interpolation': 'bilinear',
    'backend': 'cv2',
    'imdecode_backend': 'cv2',
    'to_float32': False,
    'auto_pad': False,
    'color_type': 'color',
}


class Preparation(nn.Module):
    """What mmdet's, mmseg's or mmpretrain's data preprocessor, if any, does to images, in the graph.

    Images are taken as loaded by OpenCV, in BGR, where it says so.

    Raises:
        ValueError: it pads to a fixed size.
    """

    def __init__(self, preprocessor: nn.Module | None) -> None:
        super().__init__()
        mean = getattr(preprocessor, 'mean', None)
        std = getattr(preprocessor, 'std', None)
        self.register_buffer('mean', torch.zeros(3, 1, 1) if mean is None else mean.clone())
        self.register_buffer('std', torch.ones(3, 1, 1) if std is None else std.clone())
        to_rgb = getattr(preprocessor, '_channel_conversion', getattr(preprocessor, 'to_rgb', False))
        self.flipped = not to_rgb
        test_cfg = getattr(preprocessor, 'test_cfg', None) or {}
        if size := test_cfg.get('size'):
            raise ValueError(
                f'data_preprocessor.test_cfg must have size_divisor instead of size, got {size}'
            )
        self.pad_value = float(getattr(preprocessor, 'pad_val', getattr(preprocessor, 'pad_value', 0)))
        self.divisor = int(test_cfg.get('size_divisor') or _divisor(preprocessor))

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 in RGB -> (B, 3, H', W') float32, padded below and on the right."""
        x = image.float()
        x = (x.flip(1) if self.flipped else x).sub(self.mean).div(self.std)
        if self.divisor == 1:
            return x
        height, width = x.shape[-2:]
        padding = (0, -width % self.divisor, 0, -height % self.divisor)
        return F.pad(x, padding, value=self.pad_value)


def _divisor(preprocessor: nn.Module | None) -> int:
    """mmseg's pads in training only, unless its test_cfg says otherwise."""
    if preprocessor is None or hasattr(preprocessor, 'seg_pad_val'):
        return 1
    return int(getattr(preprocessor, 'pad_size_divisor', 1))


def image_steps(cfg: Config) -> list[dict[str, Any]]:
    """What the test pipeline does to an image: steps of :mod:`iterbackbone.export.onnx.images`.

    Raises:
        ValueError: it has a step that this cannot describe.
    """
    steps = []
    for step in pipeline_of(cfg):
        name = type_name(step)
        for key, value in DESCRIBED.items():
            if step.get(key, value) != value:
                raise ValueError(
                    f'test pipeline: {name} must have {key}={value!r}, for an exported file to '
                    f'describe it, got {step[key]!r}'
                )
        if not name.startswith(STEPS_WITHOUT_EFFECT):
            steps.append(_described(name, step))
    return steps


def _described(name: str, step: dict[str, Any]) -> dict[str, Any]:
    if name == 'Resize' and step.get('scale'):
        keep_ratio = bool(step.get('keep_ratio', False))
        return {'step': 'resize', 'scale': list(to_2tuple(step['scale'])), 'keep_ratio': keep_ratio}
    if name == 'ResizeEdge' and step.get('edge', 'short') == 'short':
        return {'step': 'resize_short', 'edge': int(step['scale'])}
    if name == 'CenterCrop':
        width, height = to_2tuple(step['crop_size'])
        return {'step': 'center_crop', 'size': [height, width]}
    raise ValueError(
        f'test pipeline: {name} is none of the steps an exported file can describe: Resize with a '
        'scale, ResizeEdge of the short edge, CenterCrop, loading and packing'
    )


def pipeline_of(cfg: Config) -> list[dict[str, Any]]:
    """The test pipeline, or val's, through datasets that wrap others; [] where there is none."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    dataset = loader.get('dataset') or {}
    while not dataset.get('pipeline') and (inner := dataset.get('dataset') or dataset.get('datasets')):
        dataset = inner[0] if isinstance(inner, (list, tuple)) else inner
    return list(dataset.get('pipeline') or [])


def noise(size: Size, count: int) -> Iterator[np.ndarray]:
    """(1, 3, H, W) uint8; images of noise, a little larger one after the other."""
    generator = np.random.default_rng(0)
    for k in range(count):
        yield generator.integers(0, 256, (1, 3, size[0] + 16 * k, size[1] + 24 * k), dtype=np.uint8)
