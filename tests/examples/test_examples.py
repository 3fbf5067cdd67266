"""The examples run as they are, where OpenMMLab is not installed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.blocked_runs import OPENMMLAB, run

FOLDER = Path(__file__).parents[2] / 'examples'


def example(name, *args):
    """The lines it prints."""
    arguments = [name, *map(str, args)]
    start = f'import runpy; sys.argv = {arguments}; '
    path = str(FOLDER / f'{name}.py')
    done = run(start + f'runpy.run_path({path!r}, run_name="__main__")', blocked=OPENMMLAB)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def values(line):
    """Numbers by the words before them."""
    return {name.strip(): float(x) for name, x in re.findall(r'([a-z_ ]+) (-?[\d.]+|nan|inf)\b', line)}


def test_every_example_is_tested():
    assert {path.stem for path in FOLDER.glob('*.py')} == {
        'plain_classifier',
        'torchvision_faster_rcnn',
    }


def test_classifier_learns():
    *steps, little, much = example('plain_classifier')
    assert [line.split(':')[0] for line in steps] == [f'train_iter {n}' for n in (9, 19, 29, 39)]
    costs = [values(line)['ponder cost'] for line in steps]
    # Four blocks of 11 iterations at most: N + R is above 4 and at most 15, and paid for.
    assert 15 >= costs[0] > costs[-1] > 4
    assert values(little)['accuracy'] > 0.9
    assert values(much)['iterations'] <= 11


def test_detector_trains():
    check_detector(example('torchvision_faster_rcnn'), steps=5)


def test_detector_trains_on_a_voc_root(shapes_root):
    small = ('--steps', 2, '--size', 64)
    check_detector(example('torchvision_faster_rcnn', '--voc-root', shapes_root, *small), steps=2)


def check_detector(lines, steps):
    trained, predicted = lines[:steps], lines[steps:]
    full = '[3, 4, 6, 3]'
    assert len(predicted) == 3
    for line in trained:
        losses = values(line)
        assert len([name for name in losses if name.startswith('loss_')]) == 5, line
        assert all(0 <= x < 100 for name, x in losses.items() if name.startswith('loss_')), line
        assert 16 * 0.005 < losses['loss_ponder'] <= 20 * 0.005
        assert line.endswith(f'iterations [{full}, {full}]')
    assert all(
        re.fullmatch(r'image \d: \d+ boxes, iterations \[\d, \d, \d, \d\]', p) for p in predicted
    )
