"""Reads checkpoints without running anything that they bring along."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'  # torch.load reads it at every call
DTYPES = ('bool', 'uint8', 'int32', 'int64', 'float16', 'float32', 'float64')


class _LoggedScalars:
    """Stands for mmengine's HistoryBuffer, whose numbers nobody asks for here."""


def _nothing(*_: object) -> None:
    """Stands for the ``getattr`` by which a HistoryBuffer names its own methods.

    mmengine allows the real one, which reaches the attributes of whatever else is allowed.
    """


def _harmless_types() -> list[Any]:
    """What checkpoints of mmengine's runner hold besides tensors, by the names in the file."""
    array, scalar = np.zeros(0).__reduce__()[0], np.float64().__reduce__()[0]
    allowed: list[Any] = [np.ndarray, np.dtype, *{type(np.dtype(name)) for name in DTYPES}]
    for core in ('core', '_core'):  # numpy 1 and 2
        allowed += [
            (array, f'numpy.{core}.multiarray._reconstruct'),
            (scalar, f'numpy.{core}.multiarray.scalar'),
        ]
    stand_ins = [
        (_LoggedScalars, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_nothing, 'builtins.getattr'),
    ]
    return allowed + stand_ins


@contextmanager
def _harmless_types_allowed() -> Iterator[None]:
    """They, and nothing that this process may have allowed elsewhere.

    Of two types allowed by one name torch takes either.
    """
    if not hasattr(torch.serialization, 'safe_globals'):  # before torch 2.5: more is refused
        yield
        return
    others = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with torch.serialization.safe_globals(_harmless_types()):
            yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(others)


@contextmanager
def weights_only(name: str) -> Iterator[None]:
    """Within, every ``torch.load`` of this process reads weights only, whatever it asks for.

    mmengine and torch.hub ask for the opposite where the first attempt fails, or always.

    Args:
        name: Of the checkpoint, for the message.

    Raises:
        ValueError: the checkpoint wants to run code.
    """
    before = os.environ.get(FORCE)
    os.environ[FORCE] = '1'
    try:
        with _harmless_types_allowed():
            yield
    except pickle.UnpicklingError as error:
        raise ValueError(_refusal(name, error)) from None
    finally:
        if before is None:
            del os.environ[FORCE]
        else:
            os.environ[FORCE] = before


def load_checkpoint(path: Path) -> Mapping[str, Any]:
    """The content of a checkpoint file, tensors on the CPU.

    Args:
        path: A file by ``torch.save``: of a state dict, or of a dict around one.

    Raises:
        ValueError: there is no such file, it is no checkpoint, or it wants to run code.
    """
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, got {path}')
    try:
        with weights_only(str(path)):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except ValueError:
        raise
    except Exception as error:  # a broken file raises almost anything
        raise ValueError(f'checkpoint {path} cannot be read ({error!r})') from error
    if not isinstance(content, Mapping):
        raise ValueError(f'checkpoint must hold a dict, {path} holds a {type(content).__name__}')
    return content


def _refusal(name: str, error: pickle.UnpicklingError) -> str:
    wanted = re.search(r'GLOBAL (\S+)', str(error))
    if wanted is None:
        return f'checkpoint {name} cannot be read: it is no file of weights ({error})'
    return (
        f'checkpoint {name} is refused: it must hold weights only, but reading it would '
        f'call {wanted[1]}'
    )
