"""From a model of OpenMMLab to its exported form, and to an ONNX model that says what it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import torch
from mmengine.config import Config
from mmengine.utils import to_2tuple
from torch import Tensor, nn

from ...core.macs import Size
from ...export.onnx.graph import describe, export_graph, set_defaults
from ..configs import pipeline_of, toolbox_of_model, type_name
from .models import ExportedClassifier, ExportedModel, ExportedSegmentor

FORMAT = 2  # of the description
EXAMPLE = (96, 128)  # of an input, in pixels; its size is not kept
STEPS_WITHOUT_EFFECT = ('LoadImageFromFile', 'LoadAnnotations', 'Pack')
DESCRIBED = {  # arguments of steps, and the only values that a description can stand for
    'interpolation': 'bilinear',
    'backend': 'cv2',
    'imdecode_backend': 'cv2',
    'to_float32': False,
    'auto_pad': False,
    'color_type': 'color',
}


def exported(model: Any, fixed: int | None = None) -> ExportedModel:
    """The exported form of a copy of a classifier, segmentor or detector.

    TypeError or ValueError for models of other libraries or backbones, and what cannot be exported.
    """
    toolbox = toolbox_of_model(model)
    model = with_bin_means(copy.deepcopy(model))
    if toolbox == 'mmdet':
        from .detectors import ExportedDetector, obstacles  # the one that needs mmdet

        reason = next(obstacles(model), None)
        return ExportedModel(model, fixed, reason) if reason else ExportedDetector(model, fixed)
    return (ExportedSegmentor if toolbox == 'mmseg' else ExportedClassifier)(model, fixed)


def onnx_model(
    module: ExportedModel, cfg: Config, dataset_meta: dict[str, Any], opset: int
) -> onnx.ModelProto:
    """Export ``module`` with a description of what surrounds it.

    ``dataset_meta`` has ``classes`` and ``palette``, where they are known. ValueError where the opset
    is not supported (for this model), or the test pipeline of ``cfg`` cannot be described.
    """
    highest = module.highest_opset
    if highest is not None and opset > highest:
        raise ValueError(f'opset must be at most {highest} for this {module.task} model, got {opset}')
    fixed, threshold = module.form.fixed, module.form.threshold
    description = {
        'format': FORMAT,
        'task': module.task,
        'config': str(getattr(cfg, 'filename', None) or ''),
        'classes': dataset_meta.get('classes'),
        'palette': dataset_meta.get('palette'),
        'steps': image_steps(cfg),
        'max_iterations': list(module.limits),
        'halting_threshold': threshold,
        'fixed': fixed,
        'mask_threshold': module.mask_threshold,
    }
    defaults = {}
    if fixed is None:
        defaults['max_iterations'] = torch.tensor(module.limits)
        defaults['halting_threshold'] = torch.tensor(threshold)
    count = 2 if module.batched else 1  # an example of 1 would fix the batch to 1
    example = {'image': torch.zeros(count, 3, *EXAMPLE, dtype=torch.uint8), **defaults}
    dynamic = {2: 'height', 3: 'width', **({0: 'batch'} if module.batched else {})}
    model = export_graph(module, example, {'image': dynamic}, module.outputs, opset)
    set_defaults(model, {name: value.numpy() for name, value in defaults.items()})
    describe(model, description)
    return model


def image_steps(cfg: Config) -> list[dict[str, Any]]:
    """The test pipeline as steps of :mod:`.onnx.model_file`; ValueError for what is none of those."""
    steps = [_described(type_name(step), step) for step in pipeline_of(cfg)]
    return [step for step in steps if step]


def _described(name: str, step: dict[str, Any]) -> dict[str, Any]:
    for key, value in DESCRIBED.items():
        if step.get(key, value) != value:
            raise ValueError(
                f'test pipeline: {name} must have {key}={value!r}, for an exported file to '
                f'describe it, got {step[key]!r}'
            )
    if name.startswith(STEPS_WITHOUT_EFFECT):
        return {}
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


def noise(size: Size, count: int) -> Iterator[np.ndarray]:
    """(1, 3, H, W) uint8; images of noise, a little larger one after the other."""
    generator = np.random.default_rng(0)
    for k in range(count):
        yield generator.integers(0, 256, (1, 3, size[0] + 16 * k, size[1] + 24 * k), dtype=np.uint8)


class BinMeans(nn.AdaptiveAvgPool2d):
    """As two products of matrices: the exporter fixes the original's bins to the example's size."""

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = to_2tuple(self.output_size)
        height, width = x.shape[-2:]
        return _bins(rows or height, height, x) @ x @ _bins(columns or width, width, x).T


def _bins(count: int, length: int, like: Tensor) -> Tensor:
    """(count, length): the weights with which each bin takes its mean, bins as torch divides them."""
    row = torch.arange(count, device=like.device).view(-1, 1)
    position = torch.arange(length, device=like.device)
    inside = (position >= row * length // count) & (position < -(-(row + 1) * length // count))
    weights = inside.to(like.dtype)
    return weights / weights.sum(dim=1, keepdim=True)


def with_bin_means(module: nn.Module) -> nn.Module:
    """Replace the adaptive average poolings in ``module``, which is changed and returned."""
    for part in list(module.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.AdaptiveAvgPool2d):
                setattr(part, name, BinMeans(child.output_size))
    return module
