"""An unpickler for checkpoints that can call nothing but its own stand-ins.

What a file names leads to one that makes a dense tensor or a dict, to one that ignores what it gets, or
to a refusal. Reading changes nothing outside the result, in this thread or another.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import torch
from torch import Tensor


class _Ignored:
    """Stands for types whose content nobody asks for, such as mmengine's logged numbers."""

    dtype = torch.uint8  # of the bytes, where it stands for an untyped storage

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _dense(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


CALLED: dict[str, Callable[..., Any]] = {
    'torch._utils._rebuild_tensor': _dense,
    'torch._utils._rebuild_tensor_v2': _dense,
    'torch._utils._rebuild_parameter': lambda tensor, *_: tensor,
    'torch._utils._rebuild_parameter_with_state': lambda tensor, *_: tensor,
    'torch._tensor._rebuild_from_type_v2': lambda function, kind, args, state: function(*args),
}
NUMPY = ('_reconstruct', 'scalar')
BUILTIN = ('bytearray', 'complex', 'getattr', 'set', 'slice')
IGNORED = {
    '_codecs.encode',
    'argparse.Namespace',
    'collections.Counter',
    'datetime.datetime',
    'mmengine.logging.history_buffer.HistoryBuffer',
    'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler',  # its state holds a method
    'numpy.dtype',
    'numpy.ndarray',
    'torch.Size',
    'torch.Tensor',
    'torch.device',
    'torch.nn.parameter.Parameter',
    'torch.serialization._get_layout',
    'torch.storage.UntypedStorage',
    *(f'pathlib.{name}Path' for name in ('Posix', 'PurePosix', 'PureWindows', 'Windows')),
    *(f'numpy.{core}.multiarray.{name}' for core in ('core', '_core') for name in NUMPY),
    *(f'{module}.{name}' for module in ('builtins', '__builtin__') for name in BUILTIN),
}


class Unpickler(pickle.Unpickler):
    """As :class:`pickle.Unpickler`, with stand-ins for all that a file names."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in; an UnpicklingError, which ends in the name, where there is none."""
        full_name = f'{module}.{name}'
        if full_name in CALLED:
            return partial(CALLED[full_name])  # a new one: a file may change what it gets
        if full_name == 'collections.OrderedDict':
            return OrderedDict
        kind = vars(torch).get(name) if module == 'torch' else None
        is_type = isinstance(kind, (torch.dtype, torch.qscheme))
        # Sparse, quantised and other tensors that are not dense
        if full_name in IGNORED or is_type or full_name.startswith('torch._utils._rebuild_'):
            return _Ignored
        raise pickle.UnpicklingError(f'GLOBAL {full_name}')


def plain(value: Any, done: dict[int, Any] | None = None) -> Any:
    """What was read, without stand-ins: as dicts, or None where nobody asks for the content.

    ``done`` has results by the parts' ids: what a file repeats by reference is looked at once.
    """
    done = {} if done is None else done
    if id(value) not in done:
        if isinstance(value, dict):  # whose own items a file may have set
            result: Any = {plain(key, done): plain(item, done) for key, item in dict.items(value)}
        elif isinstance(value, (list, tuple)):
            result = type(value)(plain(item, done) for item in value)
        else:
            result = None if isinstance(value, _Ignored) or value is _Ignored else value
        done[id(value)] = result
    return done[id(value)]


def load(file: BinaryIO, **options: Any) -> Any:
    """As :func:`pickle.load`."""
    return Unpickler(file, **options).load()
