"""Collects the halting traces of every call of a model's iterative modules; what hooks share."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from ..core.adaptive import AdaptiveModule
from ..core.macs import MacTable, Size, mac_table
from ..core.resnet_counterpart import resnet_macs
from ..core.trace import HaltingTrace

_COUNTS: WeakKeyDictionary[AdaptiveModule, dict[Size, tuple[MacTable, int]]] = WeakKeyDictionary()
_ATTACHED: WeakKeyDictionary[nn.Module, dict[str, list[Any]]] = WeakKeyDictionary()


def unwrapped(model: nn.Module) -> nn.Module:
    """The detector, segmentor or classifier inside DDP-like wrappers and test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def iterative_modules(model: nn.Module) -> dict[AdaptiveModule, str]:
    """A model's iterative modules and their paths in it."""
    return {m: name for name, m in model.named_modules() if isinstance(m, AdaptiveModule)}


def counts_of(module: AdaptiveModule, input_size: Size) -> tuple[MacTable, int]:
    """The module's MAC table at an input size and its plain ResNet's MACs, counted once."""
    counts = _COUNTS.setdefault(module, {})
    if input_size not in counts:
        counts[input_size] = (mac_table(module, input_size), resnet_macs(module, input_size))
    return counts[input_size]


def refuse_second(runner: Runner, kind: type[Hook]) -> None:
    """Raise ValueError where the run has two hooks of this kind, which undo or repeat each other.

    A base's ``custom_hooks`` and own ``default_hooks`` may add up.
    """
    if sum(isinstance(hook, kind) for hook in runner.hooks) > 1:
        raise ValueError(
            f'the run has two {kind.__name__}s: give one, in default_hooks or in custom_hooks'
        )


def remove_all(handles: list[Any]) -> None:
    """Detach PyTorch's hooks by their handles, which the list then forgets."""
    for handle in handles:
        handle.remove()
    handles.clear()


def handles_on(model: nn.Module, duty: str) -> list[Any]:
    """A list for the handles of this duty's hook; those that a broken-off run left are removed."""
    handles = _ATTACHED.setdefault(model, {}).setdefault(duty, [])
    remove_all(handles)
    return handles


class Call(NamedTuple):
    """One call of one iterative module."""

    module: AdaptiveModule
    trace: HaltingTrace  # its iterations and costs
    owners: Tensor | None  # (rows,) index of each row's image in the batch; None: row i is image i
    with_gradient: bool = True  # whether gradients were recorded; teachers are called without


def is_trainable(module: nn.Module) -> bool:
    """Whether any parameter takes gradients: momentum copies and frozen teachers have none."""
    return any(p.requires_grad for p in module.parameters())


def trained_calls(calls: list[Call]) -> list[Call]:
    """Those of trainable modules with gradients: what the loss can change."""
    return [call for call in calls if call.with_gradient and is_trainable(call.module)]


class _Heard(threading.local):
    """What a thread's calls left; copies and pickles begin with nothing."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.rois: Tensor | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Heard, ()


class TraceCollector:
    """Listens to a model's iterative modules while attached, to every thread by itself.

    ``names`` are the modules with their paths in the model, ``modules`` the same without; ValueError
    without any. The images of RoIs are read off the RoI extractor's input, whose rows are
    (image index, x1, y1, x2, y2).
    """

    def __init__(self, model: nn.Module) -> None:
        self._heard = _Heard()
        self.names = iterative_modules(model)
        self.modules = list(self.names)
        if not self.modules:
            raise ValueError(
                f'{type(model).__name__} has no iterative module: set backbone=dict('
                "type='iterbackbone.IterativeResNet', ...) or remove the iterbackbone hooks"
            )
        self._handles: list[Any] = [m.register_forward_hook(self._collect) for m in self.modules]
        if any(m.of_regions for m in self.modules):
            from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor

            extractors = [m for m in model.modules() if isinstance(m, BaseRoIExtractor)]
            self._handles += [
                m.register_forward_pre_hook(self._remember_rois, with_kwargs=True) for m in extractors
            ]

    @property
    def calls(self) -> list[Call]:
        return self._heard.calls

    def reset(self, *_: Any) -> None:
        """Forget the calls; also as a forward pre-hook."""
        self.calls.clear()

    def detach(self) -> None:
        remove_all(self._handles)
        self.reset()

    def _remember_rois(self, _: nn.Module, args: tuple, kwargs: dict) -> None:
        self._heard.rois = kwargs['rois'] if 'rois' in kwargs else args[1]

    def _collect(self, module: AdaptiveModule, _: tuple, __: Any) -> None:
        owners, rois = None, self._heard.rois
        if module.of_regions and rois is not None:
            owners = rois[:, 0].long()
        self.calls.append(Call(module, module.trace, owners, torch.is_grad_enabled()))
