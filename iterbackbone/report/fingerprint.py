"""What tells one training's run from another's, however its gain is measured."""

from __future__ import annotations

import hashlib

import numpy as np

from ..log.schema import identity
from .evaluation import Evaluation
from .measures import image_errors

FIELDS = ('macs', 'total_iterations', 'confidence')


def fingerprint(evaluation: Evaluation) -> str:
    """SHA-256 over the MACs, iterations and scores of all images, by image.

    Neither the split of the images nor the seed of a measurement, nor the log's place, order and name
    change it.
    """
    columns = [*map(evaluation.column, FIELDS), image_errors(evaluation).values]
    values = np.column_stack([*columns, evaluation.iterations])
    names = [repr(identity(record)) for record in evaluation.records]
    order = sorted(range(len(names)), key=names.__getitem__)
    return hashlib.sha256(values[order].tobytes()).hexdigest()
