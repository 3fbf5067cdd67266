"""The tutorial, followed to the letter on tiny scenes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import Program

from .blocks import ROOT, SHELL, Block, blocks_of

pytestmark = pytest.mark.slow
PAGE = ROOT / 'docs/tutorial.md'
NOT_RUN = (
    '#',
    'apt-get',
    'make ',
    'source',
    'python -m iterbackbone check',
)  # set-up and quickstart: other tests
SMALL = """
model.update(backbone=dict(base_channels=8), neck=dict(in_channels=[32, 64, 128, 256]))
param_scheduler = [dict(type='ConstantLR', factor=1.0)]
default_hooks = dict(checkpoint=dict(interval=5), logger=dict(interval=1))
for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader.update(num_workers=0, persistent_workers=False)
del loader
"""


@pytest.fixture(scope='module')
def place(tmp_path_factory, shapes_root):
    """A stand-in for the repository's root, with tiny scenes as the quickstart's data."""
    folder = tmp_path_factory.mktemp('tutorial')
    for name in ('configs', 'tools', 'iterbackbone'):
        (folder / name).symlink_to(ROOT / name)
    (folder / 'data').mkdir()
    (folder / 'data/shapes').symlink_to(shapes_root)
    return folder


def run(block: Block, place: Path) -> str:
    """Write a block's file, or run its commands or its code; what was printed."""
    if block.title:
        (place / block.title).write_text(block.text + (SMALL if block.title == 'mine.py' else ''))
        return ''
    if block.language == 'python':  # here, as it saves the imports
        with contextlib.chdir(place), contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(block.text, str(block), 'exec'), {})
        return printed.getvalue()
    lines = block.text.replace('\\\n', ' ').splitlines()
    return ''.join(run_line(line, place) for line in lines if not line.startswith(NOT_RUN))


def run_line(line: str, place: Path) -> str:
    """What one `python FILE ...` printed; a shell expands its words."""
    expand = ['/bin/bash', '-euc', f"printf '%s\\0' {line}"]
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    env = {'PATH': path, 'PYTHONPATH': str(ROOT), 'ITERBACKBONE_SHAPES_ROOT': 'data/shapes'}
    done = subprocess.run(expand, cwd=place, env=env, capture_output=True, text=True, check=True)
    program, *words = done.stdout.split('\0')[:-1]
    assert program == 'python', line
    code, stdout, stderr = Program(*words, cwd=place, env=env).wait(timeout=600)
    assert code == 0, f'{line}: {stdout[-2000:]}{stderr[-3000:]}'
    return stdout


@pytest.fixture(scope='module')
def printed(place):
    """What each block of the page printed, by its first line."""
    blocks = [b for b in blocks_of(PAGE) if b.language in (*SHELL, 'python')]
    return {block.text.splitlines()[0]: run(block, place) for block in blocks}


def output(printed, start):
    (found,) = [text for line, text in printed.items() if line.startswith(start)]
    return found


def test_the_training_log_shows_what_the_page_names(printed):
    log = output(printed, 'python $(python -m iterbackbone tool mmdet train)')
    for name in ('loss_ponder', 'iterations_stage2', 'iterations_std_stage2', 'one_iteration_stage2'):
        assert f'{name}: ' in log
        assert f'`{name}`' in PAGE.read_text()


def test_the_evaluation_is_that_of_the_two_classes(printed, place):
    (meta,) = place.glob('work_dirs/test/*/iterations/test_epoch_5/meta.json')
    assert json.loads(meta.read_text())['classes'] == ['star', 'ring']
    assert (place / 'work_dirs/test/report/report.html').is_file()


def test_the_budget_holds_and_both_stand_side_by_side(printed, place):
    (records,) = place.glob('work_dirs/budget/*/iterations/test_epoch_5/records.jsonl')
    iterations = [json.loads(line)['iterations'] for line in records.read_text().splitlines()]
    assert iterations == [[1, 1, 1, 1]] * 5
    names = [each['name'] for each in json.loads((place / 'work_dirs/both/summary.json').read_text())]
    assert names == ['all', 'at most 1']


def test_the_inferencer_names_iterations_and_macs(printed):
    line = output(printed, 'from mmdet.apis').splitlines()[-1]
    assert re.fullmatch(r'\[\d, \d, \d, \d\] \d{6,} tensor\(.*\)', line)
