"""Reads a folder, writes data and config, and says what was found."""

from __future__ import annotations

import io
import shlex
import shutil
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

from mmengine.registry import DATASETS, init_default_scope

from ...files import write_together
from ...text import cause
from ..configs import read_config, toolbox_of
from ..new_config.command import base_line, built
from .cleaning import cleaned
from .folder import Folder
from .layouts import Dataset, read_folder
from .writing import SEED, Parts, split, text_of_changes, write

TOOLBOX = {'detection': 'mmdet', 'classification': 'mmpretrain'}
UNSERVED = ('MultiImageMixDataset', "'with_mask': True")  # words of what loads other data
SHOWN = 3  # cases of each kind of problem


def write_data_config(
    path: Path, data: Path, task: str | None, bases: dict[str, Path], starts: dict[str, str]
) -> list[str]:
    """Write a config that trains on a folder, and beside it ``NAME_data``: its split, cleaned.

    Returns what was found and written. ``bases`` has the config to inherit for each task, ``starts`` an
    address to load from; without a ``task`` the folder tells it. ValueError: folder or base do not fit.
    """
    folder, target = Folder(data), path.with_name(f'{path.stem}_data')
    if target.exists() or target.resolve().is_relative_to(data.resolve()):
        raise ValueError(f'NAME must be new and outside of --data, got {path} and {target}')
    dataset = cleaned(read_folder(folder, task), folder)
    parts, made = split(dataset, folder.lines(1))
    try:
        write(target, data, dataset, parts, '\n'.join(folder.lines()))
        _write_config(path, data, bases[dataset.task], dataset, parts, starts.get(dataset.task))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        path.unlink(missing_ok=True)
        raise
    counts = Counter(box.name for picture in parts['train'] for box in picture.boxes)
    numbers = ', '.join(f'{len(pictures)} {name}' for name, pictures in parts.items())
    return [
        f'{data}: {dataset.layout}, {len(dataset.classes)} classes',
        f'  pictures   {numbers}{f", split with seed {SEED}" if made else ""}',
        f'  to train   {", ".join(f"{name} {counts[name]}" for name in dataset.classes)}',
        *folder.lines(SHOWN),
        f'Wrote {path}, which inherits {bases[dataset.task].name}, and {target}.',
        f'It builds, and its pictures load. Next: iterbackbone train {shlex.quote(str(path))}',
    ]


def _write_config(
    path: Path, data: Path, base: Path, dataset: Dataset, parts: Parts, start: str | None
) -> None:
    cfg, wanted = read_config(base), TOOLBOX[dataset.task]
    ours = str(cfg.model.get('backbone', {}).get('type')).startswith('iterbackbone.')
    pipelines = {'train_pipeline', 'test_pipeline'} <= cfg.keys()
    served = not any(word in str(cfg.get('train_dataloader')) for word in UNSERVED)
    if toolbox_of(cfg) != wanted or not (ours and pipelines and served):
        raise ValueError(
            f'--base must be of {wanted}, its backbone swapped by iterbackbone new before, with '
            'train_pipeline and test_pipeline, without masks and mixtures (MultiImageMixDataset), '
            f'got {base}'
        )
    sizes = {part: sum(bool(p.boxes) for p in pictures) for part, pictures in parts.items()}
    new = text_of_changes(cfg, data, f'{path.stem}_data', dataset, sizes)
    begun = f'load_from = {start!r}  # other classes: its last layer begins anew\n' if start else ''
    text = f'{base_line(path, base, "")}\n{new}{begun}'
    write_together(path.parent, {path.name: text.encode()})
    written = read_config(path)
    built(written, 'the config')
    init_default_scope(wanted)
    for part in parts:
        try:
            with redirect_stdout(io.StringIO()):  # pycocotools prints what it does
                DATASETS.build(written[f'{part}_dataloader'].dataset)[0]
        except Exception as error:  # of any part of the pipeline
            raise ValueError(f'the pipeline of {base} does not load the data: {cause(error)}') from None
