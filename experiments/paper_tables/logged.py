"""What a row's evaluation adds to its counts: mean MACs, accuracy, the images' iterations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from iterbackbone.core.adaptive import AdaptiveModule
from iterbackbone.core.macs import Size
from iterbackbone.log.reader import read_meta, read_records
from iterbackbone.log.schema import META, RECORDS
from iterbackbone.mm.configs import build_model, read_config
from iterbackbone.mm.counting.logged_compute import read_evaluation_compute
from iterbackbone.mm.counting.summary import evaluation_summary
from iterbackbone.mm.evaluation.meta import parameter_counts


@dataclass(frozen=True)
class Logged:
    """One evaluation of one network.

    Attributes:
        accuracies: Percent, by ``top1`` and ``top5``; those that were not evaluated are absent.
        macs_mean: Multiply-adds of an image, None of a network that is not iterative.
        iterations: Of each image in each block, (images, blocks); empty if not iterative.
    """

    accuracies: Mapping[str, float]
    macs_mean: float | None = None
    iterations: tuple[tuple[int, ...], ...] = ()

    def values(self) -> dict[str, float]:
        """What it says, by column of the table."""
        macs = {} if self.macs_mean is None else {'macs_mean': self.macs_mean}
        return {**macs, **self.accuracies}


def read_logged(folder: Path, model: nn.Module, size: Size) -> Logged:
    """Read an evaluation.

    Args:
        folder: Of an iterative network that of IterationLogHook,
            ``WORK_DIR/TIMESTAMP/iterations/test_epoch_N``; of another one that of mmpretrain's
            ``test.py``, ``WORK_DIR/TIMESTAMP``.
        model: Whose evaluation it has to be, in evaluation mode.
        size: (H, W) of the input in pixels.

    Raises:
        ValueError: it is incomplete, of another network or of other image sizes.
    """
    if any(isinstance(module, AdaptiveModule) for module in model.modules()):
        return _iterative(folder, model, size)
    return Logged(_accuracies(_plain_score(folder, model)))


def _iterative(folder: Path, model: nn.Module, size: Size) -> Logged:
    log = read_evaluation_compute(folder, model)
    if list(log.calls) != [size]:
        raise ValueError(
            f'log must be of inputs of {size} pixels, that of {folder} is of {[*log.calls]}'
        )
    summary = evaluation_summary(model, log, None, own=True)
    records = [line.record for line in read_records(folder / RECORDS)[0]]
    iterations = tuple(tuple(map(int, record['iterations_per_block'])) for record in records)
    score = read_meta(folder / META).get('score') or {}
    return Logged(_accuracies(score), summary['macs']['mean']['total'], iterations)


def _plain_score(folder: Path, model: nn.Module) -> dict[str, Any]:
    """Of mmengine's own log, whose config says which network was evaluated."""
    path = folder / f'{folder.name}.json'
    if not path.is_file():
        raise ValueError(
            f"log must be the WORK_DIR/TIMESTAMP of mmpretrain's test.py, {folder} has no {path.name}"
        )
    ours, theirs = (
        parameter_counts(m)['total']
        for m in (model, build_model(read_config(folder / 'vis_data/config.py')))
    )
    if ours != theirs:
        raise ValueError(
            f'log must be of a network of {ours} parameters, that of {folder} has {theirs}'
        )
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None


def _accuracies(score: Mapping[str, Any]) -> dict[str, float]:
    found = {name: score.get(f'accuracy/{name}') for name in ('top1', 'top5')}
    return {name: float(value) for name, value in found.items() if value is not None}
