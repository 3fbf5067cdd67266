"""Fits the halting of a checkpoint and writes another: what tools/fit_halting.py does."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ... import __version__
from ...fitting.halting import silence
from ...fitting.procedure import fit_halting
from ...tensor_file import save_whole
from ..configs import read_config, trained_model
from ..traces import iterative_modules
from .fit_report import FitReport
from .images import (
    FitOptions,
    ImageSpec,
    image_infos,
    image_keys,
    image_loader,
    image_names,
    trained_images,
)
from .runs import ModelRuns

KEPT = ('dataset_meta', 'cfg', 'seed', 'epoch', 'iter', 'experiment_name')  # of the meta data
FIRST_IMAGES = 300  # of the fitting images at most (a quarter), to choose a budget at which to fit


def fit_checkpoint(
    config: Path,
    checkpoint: str,
    out: Path,
    cache: Path | None,
    options: FitOptions,
    cfg_options: dict[str, Any] | None = None,
    progress: Callable[..., Iterable[Any]] = lambda items, **_: items,
) -> FitReport:
    """Fit, write ``out`` and return the figures.

    The ``checkpoint`` is a path or a name, best trained with AnytimeHook; ``out`` is the same with
    fitted halting units and budget tables. An interrupted fit goes on from the folder ``cache``.
    ``progress`` wraps loops, as tqdm does. ValueError names what does not fit: config, checkpoint or
    images.
    """
    cfg = read_config(config, cfg_options)
    model, content = trained_model(cfg, checkpoint, options.device)
    base = f'{__version__} {_digest(model)} {cfg.pretty_text}'
    loaders = _loaders(cfg, options)
    _check_unseen(cfg, content, loaders, options)
    groups, calibration_groups = _groups(loaders, options)
    silence(list(iterative_modules(model)))

    def runs(spec: ImageSpec, loader: DataLoader) -> ModelRuns:
        identity = f'{base} {_annotations(loader)} {spec}'
        return ModelRuns(model, loader, cache, identity, partial(progress, desc=str(spec)))

    fit_images: Any = loaders[0].dataset
    few = min(FIRST_IMAGES, math.ceil(len(fit_images) / 4))
    first = options.fit.thinned(len(fit_images.dataset), few)
    fit = fit_halting(
        runs(first, image_loader(cfg, first)),
        runs(options.fit, loaders[0]),
        runs(options.calibrate, loaders[1]),
        groups,
        progress,
    )
    report = FitReport.of(fit, options, calibration_groups)
    meta = {key: value for key, value in (content.get('meta') or {}).items() if key in KEPT}
    meta |= {'halting': report._asdict(), 'iterbackbone': __version__}
    save_whole({'state_dict': model.state_dict(), 'meta': meta}, out)
    return report


def _digest(model: nn.Module) -> str:
    """Of the weights: the same for the same, wherever they lie."""
    found = hashlib.sha256()
    for tensor in model.state_dict().values():
        found.update(tensor.cpu().numpy().tobytes())
    return found.hexdigest()


def _annotations(loader: DataLoader) -> str:
    """Of the images' files and labels: what was computed before these were corrected is not used."""
    infos = list(image_infos(loader.dataset))
    texts = (value for info in infos for value in info.values() if isinstance(value, str))
    files = [os.stat(text) for text in texts if os.path.isfile(text)]  # label maps are files, too
    stamps = [(file.st_size, file.st_mtime_ns) for file in files]
    return hashlib.sha256(repr((infos, stamps)).encode()).hexdigest()


def _loaders(cfg: Config, options: FitOptions) -> tuple[DataLoader, DataLoader]:
    """Of the fitting and the calibration images; ValueError where they share some."""
    fit, calibrate = (image_loader(cfg, spec) for spec in (options.fit, options.calibrate))
    data = [cfg[f'{spec.part}_dataloader']['dataset'] for spec in (options.fit, options.calibrate)]
    keys = image_keys if data[0] == data[1] else image_names
    _check_disjoint('images', keys(fit.dataset), keys(calibrate.dataset))
    return fit, calibrate


def _check_unseen(
    cfg: Config, content: Mapping[str, Any], loaders: Sequence[DataLoader], options: FitOptions
) -> None:
    """Raise ValueError where the config trains on the images, or where that cannot be told."""
    if options.trained_on_these:
        return
    trained = trained_images(cfg, content)
    seen = trained & set().union(*(image_names(loader.dataset) for loader in loaders))
    unknown = not trained and 'train' in (options.fit.part, options.calibrate.part)
    if seen or unknown:
        raise ValueError(
            '--fit and --calibrate must be images that the features were not trained on: '
            f'{len(seen) or "unknown how many"} of them are in train_dataloader, whose indices count '
            "where the checkpoint's own config has them. Give the training's --cfg-options, or "
            '--trained-on-these'
        )


def _groups(loaders: Sequence[DataLoader], options: FitOptions) -> list[Tensor]:
    """Numbers of the fitting and the calibration images' sources; ValueError if they share one."""
    fit, calibrate = (_sources(loader.dataset, options.group_by) for loader in loaders)
    if options.group_by:
        _check_disjoint('sources', fit, calibrate)
    return [_numbered(fit), _numbered(calibrate)]


def _check_disjoint(what: str, fit: Iterable[Any], calibrate: Iterable[Any]) -> None:
    if shared := set(fit) & set(calibrate):
        raise ValueError(f'--fit and --calibrate must not share {what}, got {len(shared)} in common')


def _sources(dataset: Any, key: str | None) -> list[Any]:
    """Of each image: by a key of its metainfo (ValueError without), else the image."""
    if key is None:
        return image_keys(dataset)
    metainfos = [dataset[i]['data_samples'].metainfo for i in range(len(dataset))]
    for metainfo in metainfos:
        if key not in metainfo:
            raise ValueError(f'--group-by must be a key of metainfo ({sorted(metainfo)}), got {key!r}')
    return [metainfo[key] for metainfo in metainfos]


def _numbered(sources: list[Any]) -> Tensor:
    numbers: dict[Any, int] = {}
    return torch.tensor([numbers.setdefault(source, len(numbers)) for source in sources])
