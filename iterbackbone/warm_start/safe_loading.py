"""Reads checkpoints without running anything that they bring along, and finds what is no weight."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, serialization

from ..text import printable
from . import weights_unpickler

COUNTER = 'num_batches_tracked'  # checkpoints from before torch 0.4.1 and frozen norms lack it
NEVER_NEGATIVE = ('running_var', COUNTER)
SHOWN = 4  # keys of a kind that a message lists
MOST_UNPACKED = 10  # times a file's size: torch.save compresses nothing


def load_checkpoint(path: Path) -> Mapping[str, Any]:
    """The content of a file by ``torch.save``: tensors on the CPU, plain data, None for other objects.

    ValueError where there is no such file, it is no checkpoint, or it wants to run code.
    """
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, got {path}')
    with open(path, 'rb') as file:
        return read_checkpoint(file, str(path))


def read_checkpoint(file: BinaryIO, name: str) -> Mapping[str, Any]:
    """As :func:`load_checkpoint`, from an open file at its start, which messages call ``name``."""
    try:
        content = weights_unpickler.plain(_content(file))
    except pickle.UnpicklingError as error:
        wanted = re.search(r'GLOBAL (\S+)', str(error))
        if wanted is None:
            reason = f'cannot be read: it is no file of weights ({error})'
        else:
            calls = printable(wanted[1])
            reason = f'is refused: it must hold weights only, but reading it would call {calls}'
        raise ValueError(f'checkpoint {name} {reason}') from None
    except Exception as error:  # a broken file raises almost anything
        raise ValueError(f'checkpoint {name} cannot be read ({error!r})') from error
    if not isinstance(content, Mapping):
        raise ValueError(f'checkpoint must hold a dict, {name} holds a {type(content).__name__}')
    return content


def state_dict_of(checkpoint: Mapping[str, Any], name: str, *wrappers: str) -> dict[str, Any]:
    """The state dict of a checkpoint, which may be one itself and which messages call ``name``.

    Else one of the keys ``wrappers`` holds it, by default ``'state_dict'`` alone, as mmengine reads it.
    ValueError where it is no dict, or a key of it is no text.
    """
    wrapper = next((key for key in wrappers or ('state_dict',) if key in checkpoint), None)
    state = checkpoint if wrapper is None else checkpoint[wrapper]
    if not isinstance(state, Mapping):
        raise ValueError(
            f'checkpoint {name}: its {wrapper} must be a dict of tensors, got a {type(state).__name__}'
        )
    strange = next((key for key in state if not isinstance(key, str)), None)
    if strange is not None:
        raise ValueError(f'checkpoint {name}: its keys must be text, got {strange!r}')
    return dict(state)


def _content(file: BinaryIO) -> Any:
    """What ``torch.load`` returns for this unpickler.

    It takes no unpickler itself where ``TORCH_FORCE_WEIGHTS_ONLY_LOAD`` is set, and has another
    loader, without one, for TorchScript. Its ``weights_only=True`` ran code before torch 2.6, and the
    types that it allows are one list for all threads, which mmengine extends while it reads.
    """
    if serialization._is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MOST_UNPACKED * file.seek(0, io.SEEK_END):
            raise pickle.UnpicklingError(f'it would unpack to {unpacked} bytes')
        file.seek(0)
        with serialization._open_zipfile_reader(file) as archive:
            return serialization._load(archive, 'cpu', weights_unpickler, encoding='utf-8')
    memory = io.BytesIO(file.read())  # a file on disk could be unpacked as an archive
    return serialization._legacy_load(memory, 'cpu', weights_unpickler, encoding='utf-8')


def misfits(
    found: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], unexpected: list[str]
) -> dict[str, list[str]]:
    """Keys of a checkpoint that do not fit a network's tensors of these ``shapes``, by kind."""
    others = [
        f'{key} {tuple(found[key].shape)} instead of {tuple(shape)}'
        for key, shape in shapes.items()
        if isinstance(found.get(key), Tensor) and found[key].shape != shape
    ]
    missing = [key for key in shapes if key not in found and not key.endswith(COUNTER)]
    return {'missing': missing, 'unexpected': unexpected, 'of another shape': others}


def listed(problems: Mapping[str, list[str]]) -> str:
    """How many keys there are of each kind, and the first ones; empty without any."""
    texts = []
    for kind, keys in problems.items():
        if keys:
            first = ', '.join(map(printable, keys[:SHOWN])) + (', ...' if len(keys) > SHOWN else '')
            texts.append(f'{len(keys)} {kind}: {first}')
    return '; '.join(texts)


def flaws(found: Mapping[str, Any], dtypes: Mapping[str, torch.dtype]) -> list[str]:
    """Values that cannot be copied as they are, or that no training leaves behind.

    Keys of the network's ``dtypes`` that ``found`` lacks are passed over. ``'key (reason)'`` for each.
    """
    reasons = ((key, _flaw(key, found[key], dtype)) for key, dtype in dtypes.items() if key in found)
    return [f'{key} ({reason})' for key, reason in reasons if reason]


def _flaw(key: str, value: Any, dtype: torch.dtype) -> str | None:
    if not isinstance(value, Tensor):
        return 'no dense tensor' if value is None else f'a {type(value).__name__}'
    if value.layout != torch.strided or value.is_quantized or value.is_meta or value.is_nested:
        return 'no dense tensor'
    if value.numel() * value.itemsize > value.untyped_storage().nbytes():
        return 'more numbers than the file holds'  # a few, repeated to any size
    if _kind(value.dtype) != _kind(dtype):
        return f'{_name(value.dtype)} instead of {_name(dtype)}'
    if not value.to(dtype).isfinite().all():
        return f'NaN or infinite in {_name(dtype)}'
    if key.endswith(NEVER_NEGATIVE) and (value < 0).any():
        return 'negative'
    return None


def _kind(dtype: torch.dtype) -> tuple[bool, ...]:
    return dtype.is_floating_point, dtype.is_complex, dtype == torch.bool


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix('torch.')
