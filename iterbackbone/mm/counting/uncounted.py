"""Operators that ran and that torch's flop counter knows no formula for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

# By the convention only matrix products, convolutions and attention have multiply-adds. Operators
# without them have one of torch's own tags, are views, or have such a name.
TAGS = {'pointwise', 'reduction'}
WITHOUT_MACS = re.compile(
    r'.*(norm|pool|upsample|grid_sampler|roi_align|softmax|_pad).*|floor_divide|cumsum|'
    r'_unsafe_view|transpose|(_to_)?copy|zero|cat|stack|repeat|roll|flip|im2col|tril|triu|'
    r'(_unsafe_)?index(_.*)?|gather|scatter|(masked_)?select|embedding|sort|topk|nonzero|nms|'
    r'_unique.*|_local_scalar_dense|scalar_tensor|'
    r'(new_)?(empty|zeros|ones|full|arange|linspace|eye|rand.*)(_like|_strided)?'
)
INTERPOLATION = re.compile(r'roi_?(align|pool)', re.IGNORECASE)  # custom operators without MACs


@contextmanager
def uncounted_calls() -> Iterator[Counter[str]]:
    """Yields the calls of what is not counted and may have multiply-adds, by name.

    Of torch's operators, and of mmcv's custom ones, which the counter does not see into. To be entered
    before ``FlopCounterMode``, which takes composite operators apart.
    """
    found: Counter[str] = Counter()

    def note(module: nn.Module, *_: Any) -> None:
        name = type(module).__name__
        custom = any(kind.__module__.startswith('mmcv.ops') for kind in type(module).__mro__)
        if custom and not INTERPOLATION.match(name):
            found[name] += 1

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, _: Any, args: tuple = (), kwargs: Any = None) -> Any:
            if func._overloadpacket not in flop_registry and not is_without_macs(func):
                found[str(func._overloadpacket)] += 1
            return func(*args, **(kwargs or {}))

    handle = register_module_forward_hook(note)
    try:
        with Watch():
            yield found
    finally:
        handle.remove()


def is_without_macs(func: Any) -> bool:
    """Whether an operator of torch, an overload, has no multiply-adds by the convention."""
    name = func._schema.name.split('::')[-1].rstrip('_')
    tagged = TAGS & {tag.name for tag in func.tags}
    return bool(func.is_view or tagged or WITHOUT_MACS.fullmatch(name))
