"""The registered shared RoI head of the C4 detector."""

from __future__ import annotations

import re
from typing import Any

from .. import core
from ..registry import MODELS
from .openmmlab_module import OpenMMLabModule, norm_layer_from_cfg


@MODELS.register_module()
class IterativeResLayer(core.IterativeResLayer, OpenMMLabModule):
    """:class:`iterbackbone.core.IterativeResLayer` as mmdet's ``roi_head.shared_head``.

    Args:
        norm_cfg: Any OpenMMLab norm config; built once for each iteration.
        init_cfg: ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')`` takes the
            stage of a classification checkpoint; its other stages are expected leftovers.
        options: All other arguments of the pure class.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed.
    """

    def __init__(
        self, *, norm_cfg: dict | None = None, init_cfg: dict | list | None = None, **options: Any
    ) -> None:
        super().__init__(norm_layer=norm_layer_from_cfg(norm_cfg or dict(type='BN')), **options)
        self.init_cfg = init_cfg
        self.expected_leftovers = re.compile(rf'stem\.|stages\.(?!{self.stage}\.)')
