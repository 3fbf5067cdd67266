"""Lets mmengine read checkpoints, weights only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from mmengine.runner import checkpoint

from ..warm_start.safe_loading import weights_only

MMENGINES_TYPES = 'get_torch_safe_globals'  # not in all of its versions


@contextmanager
def openmmlab_weights_only(name: str) -> Iterator[None]:
    """As :func:`~iterbackbone.warm_start.safe_loading.weights_only`, for what mmengine loads.

    mmengine allows types of its own, the real ``getattr`` among them, under the names of our
    stand-ins, and which of the two torch then takes changes from process to process.
    """
    with ExitStack() as stack:
        stack.enter_context(weights_only(name))
        if hasattr(checkpoint, MMENGINES_TYPES):
            stack.enter_context(patch.object(checkpoint, MMENGINES_TYPES, list))
        yield
