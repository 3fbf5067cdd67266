"""``iterbackbone://NAME`` wherever mmengine reads a checkpoint."""

from __future__ import annotations

from typing import Any

from mmengine.runner import CheckpointLoader

from ...pretrained.index import SCHEME, find_weights


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_from_iterbackbone(name: str, map_location: Any = None) -> dict[str, Any]:
    """The weights of a whole model as a checkpoint, on the CPU whatever the ``map_location``.

    Args:
        name: ``'iterbackbone://NAME'``.
        map_location: What mmengine's loaders take.

    Raises:
        ValueError: there are no such weights, or their file is missing or damaged.
    """
    weights = find_weights(name.removeprefix(SCHEME))
    dataset = dict(classes=tuple(weights.classes))
    return dict(state_dict=weights.read(), meta=dict(dataset_meta=dataset))
