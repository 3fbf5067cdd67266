"""What an iteration log says of a model's compute, for a mean over the evaluated images."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from ...core.macs import Size
from ...log.reader import read_meta, read_records
from ...log.schema import META, RECORDS, IterationRecord
from ..evaluation.meta import iterative_fields, parameter_counts
from ..traces import iterative_modules


class EvaluationCompute(NamedTuple):
    """Sums over the images of one evaluation."""

    folder: Path  # of the evaluation
    num_images: int  # of the log
    calls: dict[Size, int]  # of the backbone, by the (H, W) of its input
    rois: dict[Size, int] | None  # by the same size, of a C4 detector
    macs: int  # that the iterative modules executed
    macs_lowest: int  # the same at one iteration of each block
    resnet: int  # MACs of the plain ResNet of the same shape


def read_evaluation_compute(folder: Path, model: nn.Module) -> EvaluationCompute:
    """Read an evaluation's folder; ValueError if it is incomplete, or of another model."""
    _check_model(folder, read_meta(folder / META), model)
    records = _records(folder)
    calls: Counter[Size] = Counter()
    rois: Counter[Size] = Counter()
    for record in records:
        height, width = record['input_size']
        calls[height, width] += record['num_calls']
        rois[height, width] += record.get('num_rois', 0)
    return EvaluationCompute(
        folder,
        len(records),
        dict(calls.most_common()),
        dict(rois) if 'num_rois' in records[0] else None,
        sum(record['macs'] for record in records),
        sum(record['macs_lowest'] for record in records),
        sum(record['macs_resnet'] for record in records),
    )


def _records(folder: Path) -> list[IterationRecord]:
    path = folder / RECORDS
    lines, problems = read_records(path)
    if problems or not lines:
        raise ValueError(f'log has lines that cannot be used: {problems[0] if problems else path}')
    names = ('num_calls', 'macs_lowest', 'macs_resnet', 'input_size')
    for (number, record), name in product(lines, names):
        if record.get(name) is None:
            raise ValueError(f'{path}:{number}: {name} is missing')
    return [record for _, record in lines]


def _check_model(folder: Path, meta: dict[str, Any], model: nn.Module) -> None:
    names = iterative_modules(model)
    if not names:
        raise ValueError(f'log must be of an iterative model, the config has a {type(model).__name__}')
    logged = meta.get('modules', {})  # of a teacher and its student those that were evaluated
    names = {m: name for m, name in names.items() if name in logged} or names
    expected = iterative_fields(names, {})
    if meta.get('parameters'):  # there are none under FSDP
        expected['parameters'] = parameter_counts(model)
    for name in ('modules', 'mac_table', 'roi_mac_table'):  # those need the evaluated sizes
        expected.pop(name, None)
    for name, value in json.loads(json.dumps(expected)).items():  # as JSON knows it: tuples are lists
        if meta.get(name) != value:
            raise ValueError(
                f'log must be of the same model as the config, whose {name} is {value}; '
                f'that of {folder} is {meta.get(name)}'
            )
