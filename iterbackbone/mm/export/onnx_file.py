"""An exported model as an ONNX model that says what it is."""

from __future__ import annotations

from typing import Any

import onnx
import torch
from mmengine.config import Config

from ...export.onnx.graph import describe, export_graph, set_defaults
from .models import ExportedModel
from .preparation import image_steps

FORMAT = 2  # of the description
EXAMPLE = (96, 128)  # of an input, in pixels; its size is not kept


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
