"""Fits the halting of a checkpoint and writes another: what tools/fit_halting.py does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.runner import load_state_dict
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ... import __version__
from ...files import whole_file
from ...fitting.halting import silence
from ...fitting.procedure import fit_halting
from ...warm_start.safe_loading import load_checkpoint, state_dict_of
from ..model_building import build_model, read_config
from ..trace_collector import TraceCollector
from .fit_report import FitReport
from .images import ImageSpec, image_loader
from .runs import ModelRuns

PATH_IMAGES = 300  # of the fitting images, for the static path


class FitOptions(NamedTuple):
    """What the user chose.

    Attributes:
        fit, calibrate: Images for the units, and others for budgets and figures.
        group_by: Metainfo key of an image's source, or None: each is its own.
        trained_on_these: Whether images that the features were trained on are allowed.
        max_drop: In points of score, or None.
        device: Such as ``'cpu'``.
    """

    fit: ImageSpec
    calibrate: ImageSpec
    group_by: str | None = None
    trained_on_these: bool = False
    max_drop: float | None = None
    device: str = 'cpu'


def fit_checkpoint(
    config: Path,
    checkpoint: Path,
    out: Path,
    cache: Path | None,
    options: FitOptions,
    cfg_options: dict[str, Any] | None = None,
    progress: Callable[..., Iterable[Any]] = lambda items, **_: items,
) -> FitReport:
    """Fit, write ``out`` and return the figures.

    Args:
        config: Of the network.
        checkpoint: Of the network, best trained with AnytimeHook.
        out: The fitted checkpoint: as the other, with halting units and budget tables.
        cache: Folder for results, or None.
        options: See there.
        cfg_options: Overrides of the config.
        progress: Wraps loops, such as tqdm.

    Raises:
        ValueError: naming what does not fit: config, checkpoint or images.
    """
    cfg = read_config(config, cfg_options)
    content = load_checkpoint(checkpoint)
    model = _model(cfg, state_dict_of(content, str(checkpoint)), options.device)
    loaders = _loaders(cfg, options)
    silence(TraceCollector(model).modules)
    stat = checkpoint.stat()
    base = f'{checkpoint.absolute()} {stat.st_mtime_ns} {stat.st_size} {cfg.pretty_text}'

    def runs(spec: ImageSpec, loader: DataLoader) -> ModelRuns:
        bar = lambda batches: progress(batches, desc=str(spec))  # noqa: E731
        return ModelRuns(model, loader, cache, f'{base} {spec}', bar)

    first = options.fit.first(PATH_IMAGES)
    fitting = runs(options.fit, loaders[0])
    fit = fit_halting(
        runs(first, image_loader(cfg, first)),
        fitting,
        runs(options.calibrate, loaders[1]),
        groups_of(loaders[0], options.group_by),
        progress,
    )
    report = FitReport.of(fit, options)
    meta = {**dict(content.get('meta') or {}), 'halting': report.plain(), 'iterbackbone': __version__}
    meta = {key: value for key, value in meta.items() if key in KEPT}
    with whole_file(out) as file:
        torch.save({'state_dict': model.state_dict(), 'meta': meta}, file)
    return report


KEPT = ('dataset_meta', 'cfg', 'seed', 'epoch', 'iter', 'experiment_name', 'halting', 'iterbackbone')


def _model(cfg: Config, state_dict: dict[str, Tensor], device: str) -> nn.Module:
    model = build_model(cfg)
    try:
        load_state_dict(model, state_dict, strict=True)
    except RuntimeError as error:
        raise ValueError(f'checkpoint does not fit the config: {error}') from None
    return model.to(device).eval()


def _loaders(cfg: Config, options: FitOptions) -> tuple[DataLoader, DataLoader]:
    """Of the fitting and the calibration images.

    Raises:
        ValueError: they share images, or images of the training set are not allowed.
    """
    specs = (options.fit, options.calibrate)
    loaders = tuple(image_loader(cfg, spec) for spec in specs)
    if specs[0].part == specs[1].part:
        places = [set(loader.dataset.indices) for loader in loaders]  # type: ignore[attr-defined]
        if places[0] & places[1]:
            raise ValueError(f'--fit and --calibrate must not share images, got {specs[0]}, {specs[1]}')
    length = len(loaders[0].dataset.dataset)  # type: ignore[attr-defined]
    whole = any(s.part == 'train' and len(s.places(length)) == length for s in specs)
    if whole and not options.trained_on_these:
        raise ValueError(
            '--fit and --calibrate must be images that the features were not trained on, got the '
            'whole training set; --trained-on-these allows it'
        )
    return loaders  # type: ignore[return-value]


def groups_of(loader: DataLoader, key: str | None) -> Tensor:
    """The source of each image, (N,) int64, by a key of its metainfo.

    Raises:
        ValueError: an image has no such key.
    """
    dataset: Any = loader.dataset
    if key is None:
        return torch.arange(len(dataset))
    names: dict[Any, int] = {}
    for i in range(len(dataset)):
        metainfo = dataset[i]['data_samples'].metainfo
        if key not in metainfo:
            raise ValueError(f'--group-by must be a key of metainfo ({sorted(metainfo)}), got {key!r}')
        names.setdefault(metainfo[key], len(names))
    return torch.tensor([names[dataset[i]['data_samples'].metainfo[key]] for i in range(len(dataset))])
