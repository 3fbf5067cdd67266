"""The full network on real images: what docs/evidence/deployment.md says of agreement with PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config

from iterbackbone.__main__ import config_path
from iterbackbone.export.onnx.model_file import load_image
from iterbackbone.export.onnx.parity import compare
from iterbackbone.export.onnx.runtime import open_session
from iterbackbone.files import image_files
from iterbackbone.mm.configs import build_model
from iterbackbone.mm.export.exported import image_steps, onnx_model
from iterbackbone.mm.export.models import ExportedModel
from tests.support.networks import varied


@pytest.mark.slow
@pytest.mark.real_data
def test_200_images_stop_where_pytorch_stops(voc2007):
    """IterativeResNet-152 with random weights; biases such that images halt apart."""
    cfg = Config.fromfile(config_path('iterative-r152_8xb32_in1k'))
    cfg.model.update(neck=None, head=None)
    cfg.model.backbone.out_indices = (0, 1, 2, 3)
    resize, crop = cfg.test_dataloader.dataset.pipeline[1:3]
    resize.scale, crop.crop_size = 110, 96  # of 256, 224: a fifth of the work
    files = image_files(voc2007 / 'VOCdevkit/VOC2007/JPEGImages', 200)
    images = [load_image(file, image_steps(cfg)) for file in files]
    torch.manual_seed(0)
    module = ExportedModel(build_model(cfg).eval()).eval()
    some = torch.from_numpy(np.concatenate(images[::8]))
    varied(module.model.backbone, module.preparation(some), gain=0.3)
    module = ExportedModel(module.model).eval()  # of the norms as they are now
    session = open_session(onnx_model(module, cfg, {}, 20).SerializeToString())
    totals = set()

    def reference(image):
        found, margin = module.reference(torch.from_numpy(image))
        totals.add(int(found['iterations'].sum()))
        return {name: value.numpy() for name, value in found.items()}, margin

    parity = compare(session, reference, ({'image': image} for image in images))
    errors = {name: f'{error:.1e}' for name, error in parity.worst().items()}
    print(f'{parity.same_iterations:.1%} same, {min(totals)} to {max(totals)} iterations,', errors)
    print(f'least margin {min(c.margin for c in parity.comparisons):.1e}')
    assert len(parity.comparisons) == 200
    assert len(totals) >= 5
    assert parity.agrees
