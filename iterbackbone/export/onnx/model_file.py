"""Files of tools/export_onnx.py, which may be damaged or written by strangers, and their images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import cv2
import msgspec
import numpy as np
import onnx

NEEDED = ('image', 'iterations', 'macs')  # inputs and outputs of every exported file
Side = Annotated[int, msgspec.Meta(ge=1, le=2**14)]  # pixels
Size = tuple[Side, Side]


class Resize(msgspec.Struct, tag_field='step', tag='resize'):
    """To ``scale``, (W, H); or as large as fits into it, whatever way round the image is."""

    scale: Size
    keep_ratio: bool = False

    def __call__(self, image: np.ndarray) -> np.ndarray:
        if not self.keep_ratio:
            return cv2.resize(image, self.scale)
        height, width = image.shape[:2]
        factor = min(max(self.scale) / max(height, width), min(self.scale) / min(height, width))
        return cv2.resize(image, [max(1, int(side * factor + 0.5)) for side in (width, height)])


class ResizeShort(msgspec.Struct, tag_field='step', tag='resize_short'):
    """To ``edge`` pixels of the short side."""

    edge: Side

    def __call__(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        return cv2.resize(image, [self.edge * side // min(height, width) for side in (width, height)])


class CenterCrop(msgspec.Struct, tag_field='step', tag='center_crop'):
    """To ``size``, (H, W)."""

    size: Size

    def __call__(self, image: np.ndarray) -> np.ndarray:
        sides = zip(image.shape, self.size, strict=False)
        top, left = (max(0, round((side - new) / 2)) for side, new in sides)  # as mmcv
        return image[top : top + self.size[0], left : left + self.size[1]]


Steps = list[Resize | ResizeShort | CenterCrop]


def load_image(path: Path, steps: Any) -> np.ndarray:
    """A file's image, (1, 3, H, W) uint8 in RGB, after the steps of a description.

    OSError where it cannot be read, ValueError where it is no image or a step is not known.
    """
    content = np.fromfile(path, np.uint8)  # as mmcv: OpenCV's imread fails on rotated TIFF files
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
        if image is None:
            raise ValueError(f'--images: {path} cannot be read as an image')
        for step in msgspec.convert(steps, Steps):
            image = step(image)
    except (cv2.error, MemoryError) as error:
        raise ValueError(f'--images: {path} becomes too large or too small ({error})') from error
    return np.ascontiguousarray(image[None, :, :, ::-1].transpose(0, 3, 1, 2))


def read_model(path: Path) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """A float32 file, and its description.

    OSError where it cannot be read; ValueError where it is damaged, no such file, or not float32.
    """
    try:
        model = onnx.load(path, format='protobuf')
        onnx.checker.check_model(model, full_check=True)
    except OSError:
        raise
    except Exception as error:  # of several kinds without a common base
        raise ValueError(f'FILE must be a valid ONNX file, {path} is none: {error}') from error
    try:
        properties = {entry.key: entry.value for entry in model.metadata_props}
        description = msgspec.json.decode(properties.get('iterbackbone', ''), type=dict[str, Any])
        msgspec.convert(description.get('steps'), Steps)
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(
            f'FILE must be written by tools/export_onnx.py, {path} has no such description: {error}'
        ) from error
    if 'precision' in description:
        raise ValueError(f'FILE must be float32, {path} is {description["precision"]!r:.20} already')
    names = [value.name for value in [*model.graph.input, *model.graph.output]]
    if missing := [name for name in NEEDED if name not in names]:
        raise ValueError(f'FILE must have {", ".join(NEEDED)}, {path} lacks {", ".join(missing)}')
    return model, description
