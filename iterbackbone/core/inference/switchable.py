"""optimize_for_inference: a network that can run in its inference form."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from ..validation import check_bool
from .network_form import attach_forms, detach_forms

Network = TypeVar('Network', bound='SwitchableForm')


class SwitchableForm(nn.Module):
    """Base of networks with an inference form.

    Attributes:
        execution: Of ``train`` and ``eval``, see :mod:`iterbackbone.core.execution`.
    """

    execution: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self._optimized = False

    @property
    def optimized(self) -> bool:
        """Whether evaluation runs in the inference form."""
        return self._optimized

    def optimize_for_inference(self: Network, enabled: bool = True) -> Network:
        """Run evaluation in the inference form: norms folded, states updated in place.

        Same features (to rounding), iterations and state dict in less time. ``train()`` ends it,
        as does ``enabled=False``; parts in training mode run as built meanwhile. Outputs are
        channels_last; gradients are not to be had. Changed weights count from the next call.

        Returns:
            The module.

        Raises:
            RuntimeError: the module is in training mode.
            ValueError: its evaluation is ``masked``, or a norm is no BatchNorm with running
                statistics.
        """
        if not check_bool('enabled', enabled):
            detach_forms(self)
        elif self.training:
            raise RuntimeError('optimize_for_inference needs evaluation mode: call eval() first')
        elif self.execution['eval'] != 'active':
            raise ValueError(
                "optimize_for_inference needs execution['eval'] == 'active', got "
                f'{self.execution["eval"]!r}'
            )
        else:
            attach_forms(self)
        self._optimized = enabled
        return self

    def train(self: Network, mode: bool = True) -> Network:
        if mode and self._optimized:
            self.optimize_for_inference(False)
        return super().train(mode)
