"""The configs that docs/drop-in.md spells out: read from the page, made small, trained and tested."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

from tests.support.openmmlab import read_log
from tests.support.tiny_training import Spy, labelled_loader

PAGE = Path(__file__).parents[2] / 'docs' / 'drop-in.md'
ITERATIONS = (3, 4, 6, 3)  # of depth 50
FULL_WIDTH, SMALL = 'base_channels, expansion = 64, 4', 'base_channels, expansion = 8, 2'


class Family(NamedTuple):
    """One row of the page's tables.

    Attributes:
        library: mmdet, mmseg or mmpretrain.
        name: Of the family.
        lines: The three lines of a config that are its own.
    """

    library: str
    name: str
    lines: tuple[str, ...]


class FakeImages(torch.utils.data.Dataset):
    """Two images that are packed already."""

    metainfo = dict(classes=('one', 'two'))

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]

    def update_skip_type_keys(self, keys):
        """What YOLOX's base asks of its data set in the last epochs."""


def blocks() -> list[str]:
    """The page's Python."""
    return re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.DOTALL)


def snippet() -> str:
    """The page's complete config."""
    return blocks()[0]


def families(library: str) -> list[Family]:
    """The rows of a library's table."""
    found, base = [], ''
    for line in PAGE.read_text().splitlines():
        first, *cells = [cell.strip().strip('`') for cell in line.strip('|').split(' | ')]
        if cells and 'FILE' in cells[0]:
            table, base = first.strip(), cells[0]
        elif len(cells) == 3 and cells[0].endswith('.py') and table == library:
            found.append(Family(library, first.strip(), (base.replace('FILE', cells[0]), *cells[1:])))
    return found


def family_config(family: Family, folder: Path, width: str = SMALL) -> Config:
    """The page's config with the family's three lines, read from a file of the user's."""
    text = snippet()
    changes = [*zip(families('mmdet')[0].lines, family.lines, strict=True), (FULL_WIDTH, width)]
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / 'mine.py').write_text(text)
    return Config.fromfile(folder / 'mine.py')


class Outcome(NamedTuple):
    """What one train_iter on two images and a test of each left behind.

    Attributes:
        parameters: Names of all parameters.
        moved: Those whose values the optimizer changed.
        step: What :class:`tests.support.tiny_training.Spy` saw of the train_iter.
        records: The iteration log's lines, one an image.
    """

    parameters: set[str]
    moved: set[str]
    step: dict
    records: list[dict]


def train_and_test(cfg: Config, items: list, folder: Path) -> Outcome:
    """Run a config's model, optimizer and hooks as mmengine does."""
    images, spy = FakeImages(items), Spy()
    runner = Runner(
        model=cfg.model,
        work_dir=str(folder),
        train_dataloader=labelled_loader(images, len(images)),
        test_dataloader=labelled_loader(images, 1),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=1),
        test_cfg=dict(),
        test_evaluator=Evaluator([]),
        optim_wrapper=cfg.optim_wrapper,
        default_hooks={**cfg.default_hooks, 'checkpoint': None},  # the full heads take seconds
        custom_hooks=[*cfg.get('custom_hooks', []), spy],
        data_preprocessor=cfg.get('data_preprocessor'),
        default_scope=cfg.default_scope,
        experiment_name=folder.name,
        log_level='WARNING',
        randomness=dict(seed=0),
    )
    before = {name: p.detach().clone() for name, p in runner.model.named_parameters()}
    runner.train()
    runner.test()
    moved = {n for n, p in runner.model.named_parameters() if not torch.equal(p, before[n])}
    (log,) = folder.glob('*/iterations/*')
    return Outcome(set(before), moved, spy.steps[0], read_log(log)[0])


def check_family(family: Family, items: list, folder: Path, small: dict, joint: bool) -> None:
    """Every part trains, at every depth or with the ponder cost; each image's iterations are logged.

    Args:
        family: Of the page.
        items: Packed images with their annotations.
        folder: For the config and its run.
        small: Overrides that make heads small, as of ``--cfg-options``.
        joint: Train as in the paper, with the hook that the page names for it.
    """
    cfg = family_config(family, folder)
    cfg.merge_from_dict(small)
    if joint:
        del cfg.default_hooks.anytime
        (hook,) = re.findall('`ponder_cost=(dict.+?)`', PAGE.read_text())
        cfg.default_hooks.ponder_cost = eval(hook)
        cfg.default_hooks.ponder_cost.update(
            halting_warmup=0.0, ramp=0.0
        )  # held units would get no gradient
    outcome = train_and_test(cfg, items, folder)
    losses = {name: x for name, x in outcome.step['outputs'].items() if 'loss' in name}
    assert len(losses) > joint
    assert all(math.isfinite(x) for x in losses.values()), losses
    if joint:  # N + R at full depth: between the iterations and one more for each of the four stages
        assert 0.005 * sum(ITERATIONS) < losses['loss_ponder'] <= 0.005 * (sum(ITERATIONS) + 4)
    else:
        names = ('lowest', 'middle', 'full')
        by_depth = {outcome.step['scalars'][f'train/loss_at_{name}'] for name in names}
        assert len(by_depth) > 1
        assert all(math.isfinite(x) for x in by_depth)
    block = [f'conv{i}.weight' for i in (1, 2, 3)] + ['halting.fc2.bias'] * joint
    shared = {f'backbone.stages.{k}.blocks.0.{name}' for k in range(4) for name in block}
    assert all(outcome.step['grads'][name].abs().sum() > 0 for name in shared)
    assert shared <= outcome.moved
    assert {n.split('.')[0] for n in outcome.moved} == {n.split('.')[0] for n in outcome.parameters}
    assert len(outcome.records) == 2
    for record in outcome.records:
        pairs = zip(record['iterations'], ITERATIONS, strict=True)
        assert all(1 <= n <= limit for n, limit in pairs), record
        at_full_depth = record['iterations'] == list(ITERATIONS)
        assert (record['macs'] == record['macs_full']) == at_full_depth
        assert record['macs_lowest'] <= record['macs'] <= record['macs_full']
