"""The registered modules: the pure ones, with what OpenMMLab expects of a module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule, update_init_info
from torch import nn

from .. import core
from ..core.block import IterativeBlock
from ..core.entry import Entry
from ..core.halting import HaltingUnit
from ..registry import MODELS
from .checkpoints import misfit, pretrained_weights, separated


def norm_layer_from_cfg(norm_cfg: dict | None) -> Callable[[int], nn.Module]:
    """``norm_cfg``, or BN, as ``channels -> nn.Module``, which raises ValueError for no norm."""
    config = norm_cfg or dict(type='BN')

    def norm_layer(channels: int) -> nn.Module:
        try:
            return build_norm_layer(config, channels)[1]
        except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f'norm_cfg must describe a norm of {channels} channels, got {config}: {error!r}'
            ) from error

    return norm_layer


class OpenMMLabModule(BaseModule):
    """Mixin behind an :class:`~iterbackbone.core.adaptive.AdaptiveModule`."""

    expected_leftovers: re.Pattern[str]  # keys that a checkpoint may have and the module not

    def init_weights(self) -> None:
        """As in mmengine, but ValueError for a pretrained checkpoint that does not fit or runs code."""
        whole = self.init_cfg
        pretrained, others = separated(None if self.is_init else whole)
        weights = [pretrained_weights(self, config, self.expected_leftovers) for config in pretrained]
        self.init_cfg = others
        try:
            with _own_starts(self):  # an override may name a part, whose apply is torch's
                super().init_weights()
        finally:
            self.init_cfg = whole
        for config, state in zip(pretrained, weights, strict=True):
            self.load_state_dict(state, strict=False)
            if hasattr(self, '_params_init_info'):  # of a module around this one
                update_init_info(self, f'PretrainedInit: load from {config["checkpoint"]}')

    def apply(self, fn: Callable[[nn.Module], None]) -> OpenMMLabModule:
        """Keeps the blocks' starts, whatever ``init_cfg`` of a module around this one is applied."""
        with _own_starts(self):
            super().apply(fn)
        return self

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        # mmengine only logs what does not match, and the run would go on with random weights.
        found = {key[len(prefix) :]: x for key, x in state_dict.items() if key.startswith(prefix)}
        if problems := misfit(self, found, self.expected_leftovers):
            raise ValueError(
                f'the checkpoint does not fit {type(self).__name__} at {prefix!r}: {problems}. For '
                "another prefix use init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...)"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)


@contextmanager
def _own_starts(module: nn.Module) -> Iterator[None]:
    """Keep what blocks start with: halting units, and the last norms' gamma where it is not 1."""
    parts = list(module.modules())
    kept = [p for unit in parts if isinstance(unit, HaltingUnit) for p in unit.parameters()]
    for block in parts:
        if isinstance(block, IterativeBlock) and block.last_gamma != 1.0:
            kept += [p for name, p in block.norm3.named_parameters() if name.endswith('weight')]
    values = [parameter.detach().clone() for parameter in kept]
    yield
    with torch.no_grad():
        for parameter, value in zip(kept, values, strict=True):
            parameter.copy_(value)


class RegisteredEntry(Entry, BaseModule):
    """An entry whose network starts as its own ``init_cfg`` says."""


def entry_from_cfg(entry: dict | None, in_channels: int) -> Entry | None:
    """Of a config, frozen unless it says otherwise; TypeError, ValueError for no backbone's."""
    if entry is None:
        return None
    if not isinstance(entry, dict) or 'type' not in entry:
        raise TypeError(f"entry must be a dict such as dict(type='mmdet.ResNet', ...), got {entry!r}")
    config = dict(entry)
    frozen = config.pop('frozen', True)
    return RegisteredEntry(MODELS.build(config), in_channels, frozen)


@MODELS.register_module()
class IterativeResNet(core.IterativeResNet, OpenMMLabModule):
    """:class:`iterbackbone.core.IterativeResNet` for OpenMMLab; the same state-dict keys.

    Args:
        norm_cfg: Any OpenMMLab norm config; built once for each iteration.
        entry: Config of any registered backbone whose last map is the first stage's input, such as
            ``dict(type='mmdet.ResNet', depth=50, num_stages=2, strides=(1, 2), dilations=(1, 1),
            out_indices=(1,), init_cfg=...)``; ``frozen`` (True) beside its own options.
        init_cfg: ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')`` to start
            from a checkpoint; stages beyond ``num_stages`` are expected leftovers.
        options: All other arguments of the pure class.
    """

    def __init__(
        self,
        *,
        norm_cfg: dict | None = None,
        entry: dict | None = None,
        init_cfg: dict | list | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            norm_layer=norm_layer_from_cfg(norm_cfg),
            entry=entry_from_cfg(entry, options.get('in_channels', 3)),
            **options,
        )
        self.init_cfg = init_cfg
        later = ''.join(str(k) for k in range(len(self.stages), 4))
        self.expected_leftovers = re.compile(rf'stages\.[{later}]\.' if later else r'(?!)')

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """A parameter's layer, from 0, and the number of layers (mmpretrain's constructor asks).

        The stem is layer 0; each block is one, its stage's transition with the first; what follows the
        backbone, whose own names in the model begin with ``prefix``, is the last.
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


@MODELS.register_module()
class IterativeResLayer(core.IterativeResLayer, OpenMMLabModule):
    """:class:`iterbackbone.core.IterativeResLayer` as mmdet's ``roi_head.shared_head``.

    Args:
        norm_cfg: Any OpenMMLab norm config; built once for each iteration.
        init_cfg: ``dict(type='Pretrained', checkpoint=..., prefix='backbone.')`` takes the
            stage of a classification checkpoint; its other stages are expected leftovers.
        options: All other arguments of the pure class.
    """

    def __init__(
        self, *, norm_cfg: dict | None = None, init_cfg: dict | list | None = None, **options: Any
    ) -> None:
        super().__init__(norm_layer=norm_layer_from_cfg(norm_cfg), **options)
        self.init_cfg = init_cfg
        self.expected_leftovers = re.compile(rf'stem\.|stages\.(?!{self.first_stage}\.)')
