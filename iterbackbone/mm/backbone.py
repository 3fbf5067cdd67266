"""The registered backbone: configs in, tuple of features out."""

from __future__ import annotations

import re
from typing import Any

from .. import core
from ..registry import MODELS
from .openmmlab_module import OpenMMLabModule, norm_layer_from_cfg


@MODELS.register_module()
class IterativeResNet(core.IterativeResNet, OpenMMLabModule):
    """:class:`iterbackbone.core.IterativeResNet` for OpenMMLab; the same state-dict keys.

    Args:
        norm_cfg: Any OpenMMLab norm config; built once for each iteration.
        init_cfg: ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')`` to start
            from a checkpoint; stages beyond ``num_stages`` are expected leftovers.
        options: All other arguments of the pure class.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed.
    """

    def __init__(
        self, *, norm_cfg: dict | None = None, init_cfg: dict | list | None = None, **options: Any
    ) -> None:
        super().__init__(norm_layer=norm_layer_from_cfg(norm_cfg or dict(type='BN')), **options)
        self.init_cfg = init_cfg
        later = ''.join(str(k) for k in range(len(self.stages), 4))
        self.expected_leftovers = re.compile(rf'stages\.[{later}]\.' if later else r'(?!)')

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Where a parameter stands, for layer-wise learning rates (mmpretrain's constructor asks).

        The stem is layer 0; each block is one, its stage's transition with the first; what
        follows the backbone is the last.

        Args:
            param_name: Of the whole model.
            prefix: What the names of the backbone's own parameters begin with.

        Returns:
            The layer, from 0, and the number of layers.
        """
        blocks = len(self.stages[0].blocks)
        layers = len(self.stages) * blocks + 2
        if not param_name.startswith(prefix):
            return layers - 1, layers
        part, *where = param_name.removeprefix(prefix).split('.')
        if part != 'stages':
            return 0, layers
        block = int(where[2]) if where[1] == 'blocks' else 0
        return 1 + int(where[0]) * blocks + block, layers
