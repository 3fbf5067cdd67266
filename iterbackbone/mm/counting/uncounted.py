"""Operators that ran and that torch's flop counter knows no formula for."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

# By the convention only matrix products, convolutions and attention have multiply-adds. An
# operator without them is of the first kind whose tag (torch's own) or name fits.
KINDS = {
    'normalisation': (None, r'.*norm.*'),
    'pooling and resizing': (None, r'.*(pool|upsample|grid_sampler|roi_align).*'),
    'element-wise': ('pointwise', r'.*softmax|floor_divide'),
    'reduction': ('reduction', r'cumsum'),
    'views, copies, indexing': (
        'view',
        r'_unsafe_view|transpose|(_to_)?copy|cat|stack|repeat|.*_pad.*|roll|flip|im2col|tril|triu|'
        r'(_unsafe_)?index(_.*)?|gather|scatter|(masked_)?select|embedding|sort|topk|nonzero|nms|'
        r'_unique.*|_local_scalar_dense|scalar_tensor|'
        r'(new_)?(empty|zeros|ones|full|arange|linspace|eye|rand.*)(_like|_strided)?',
    ),
}
INTERPOLATION = re.compile(r'roi_?(align|pool)', re.IGNORECASE)  # custom operators without MACs


class Uncounted(NamedTuple):
    """Calls in one run, by name."""

    operators: dict[str, int]  # that may have multiply-adds
    modules: dict[str, int]  # mmcv's custom operators, by class: the counter does not see into them
    without_macs: dict[str, int]  # operators that have none by the convention, by kind


class OperatorWatch(TorchDispatchMode):
    """Notes, while entered, which operators and mmcv's custom operators run without being counted.

    Enter it before ``FlopCounterMode``, which takes composite operators apart.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        self._custom = [
            module
            for module in model.modules()
            if any(kind.__module__.startswith('mmcv.ops') for kind in type(module).__mro__)
        ]
        self._handles: list[Any] = []

    @property
    def uncounted(self) -> Uncounted:
        """What has run so far, most frequent first."""
        return Uncounted(*(dict(counts.most_common()) for counts in self._counts))

    def __enter__(self) -> OperatorWatch:
        self._handles = [module.register_forward_hook(self._note) for module in self._custom]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        operators, _, without_macs = self._counts
        if func._overloadpacket not in flop_registry:
            if kind := _kind(func):
                without_macs[kind] += 1
            else:
                operators[str(func._overloadpacket)] += 1
        return func(*args, **(kwargs or {}))

    def _note(self, module: nn.Module, _: tuple, __: Any) -> None:
        self._counts[1][type(module).__name__] += 1


def _kind(func: Any) -> str | None:
    """Of an operator without multiply-adds; None for the others."""
    tags = {tag.name for tag in func.tags} | ({'view'} if func.is_view else set())
    name = func._schema.name.split('::')[-1].rstrip('_')
    for kind, (tag, pattern) in KINDS.items():
        if tag in tags or re.fullmatch(pattern, name):
            return kind
    return None
