"""Which weights there are, and what is in their files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load
from torch import Tensor

from ..text import nearest

SCHEME = 'iterbackbone://'  # followed by a name
SHIPPED = Path(__file__).parent
FOLDER_VARIABLE = 'ITERBACKBONE_WEIGHTS'  # names a folder of one's own weights
INDEX = 'index.json'


@dataclass(frozen=True)
class Weights:
    """One entry of an index: a whole model's weights in NAME.safetensors, float16.

    Attributes:
        name: ``NETWORK.TAG``, the tag saying what they were trained on.
        task: ``'classification'``, ``'detection'`` or ``'segmentation'``.
        architecture: Arguments of the backbone, :class:`iterbackbone.IterativeResNet`.
        mean: Of the pixels, 0 to 255, one a channel, in ``color_order``, ``'RGB'`` or ``'BGR'``.
        std: By which pixels are divided after subtracting ``mean``.
        classes: Their names, in the order of the outputs.
        figures: What was measured, by a description of how.
        license: SPDX identifier.
        data: What they were trained on, by ``recipe``, at this ``commit``.
        preprocessing: Of the figures' images as far as known, in timm's words: ``input_size``
            (C, H, W), ``interpolation``, ``crop_pct``.
    """

    folder: Path
    name: str
    sha256: str
    bytes: int
    task: str
    architecture: Mapping[str, Any]
    mean: Sequence[float]
    std: Sequence[float]
    color_order: str
    classes: Sequence[str]
    figures: Mapping[str, str]
    license: str
    data: str
    recipe: str
    commit: str
    not_for: str
    preprocessing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> str:
        return self.name.partition('.')[0]

    @property
    def pretrained_cfg(self) -> dict[str, Any]:
        """The same in timm's words: ``mean`` and ``std`` are of pixels from 0 to 1."""
        return {
            'url': SCHEME + self.name,
            'license': self.license,
            'num_classes': len(self.classes),
            'mean': tuple(x / 255 for x in self.mean),
            'std': tuple(x / 255 for x in self.std),
            'color_order': self.color_order,
            **{k: tuple(x) if isinstance(x, list) else x for k, x in self.preprocessing.items()},
        }

    @property
    def path(self) -> Path:
        return self.folder / f'{self.name}.safetensors'

    def read(self) -> dict[str, Tensor]:
        """The state dict of the model, on the CPU, in float32; ValueError for a damaged file."""
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ValueError(f'weights {self.name} cannot be read: {error}') from None
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ValueError(
                f'weights {self.name} are damaged: {self.path} must have the SHA-256 {self.sha256}, '
                f'got {found}; install the package again'
            )
        tensors = load(content).items()
        return {key: x.float() if x.is_floating_point() else x for key, x in tensors}


def read_index(folder: Path) -> dict[str, Weights]:
    """The index of a folder, by name; ValueError where it cannot be read."""
    path = folder / INDEX
    try:
        entries = json.loads(path.read_text())
        return {name: Weights(folder=folder, name=name, **entry) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f'index of weights {path} cannot be read: {error}') from None


def all_weights() -> dict[str, Weights]:
    """Those in the package and those in the folder that ITERBACKBONE_WEIGHTS names."""
    own = os.environ.get(FOLDER_VARIABLE)
    return read_index(SHIPPED) | (read_index(Path(own)) if own else {})


def named_weights() -> dict[str, Weights]:
    """All by their names, and a network's first by the network's."""
    known = all_weights()
    return {weights.network: weights for weights in reversed(known.values())} | known


def find_weights(name: str) -> Weights:
    """Weights by their name; without a tag the network's first. ValueError without any."""
    known = named_weights()
    if name not in known:
        raise ValueError(
            f'weights must be one of {sorted(all_weights())}, got {name!r}{nearest(name, known)}'
        )
    return known[name]
