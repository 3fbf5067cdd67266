"""What the quickstarts show of a training and of a log."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import quickstart

from iterbackbone.__main__ import config_path, tool_path

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.mark.parametrize('task', quickstart.TASKS.values(), ids=quickstart.TASKS)
def test_configs_and_tools_exist(task):
    assert config_path(task.config).is_file()
    assert {tool_path(task.package, name).name for name in ('train', 'test')} == {'train.py', 'test.py'}


STEPS = ['Epoch(train) [1][20/50]', 'Epoch(train)  [5][ 20/100]', 'Epoch(test) [5][4/5]']


@pytest.mark.parametrize('step', STEPS)
def test_steps_are_recognised(step):
    line = f'11/22 - mmengine - INFO - {step}  lr: 1e-3  eta: 0:01:02  loss: 1.25\n'
    assert quickstart.STEP.search(line)[0] == step
    assert quickstart.LOSS.search(line)[1] == 'loss: 1.25'
    assert quickstart.LEFT.search(line)[1] == 'eta: 0:01:02'


def write_log(folder, score, counts):
    meta = {
        'score': score,
        'parameters': {'total': 2_000_000, 'backbone': 500_000},
        'max_iterations': [3, 4],
        'time': {'milliseconds_per_image': 12.3},
    }
    folder.mkdir()
    (folder / 'meta.json').write_text(json.dumps(meta))
    fields = {'iterations': [1, 2], 'total_iterations': 3, 'macs': 30, 'macs_full': 40}
    lines = [json.dumps({**fields, 'num_objects': count}) for count in counts]
    (folder / 'records.jsonl').write_text('\n'.join(lines))
    return folder


@pytest.mark.parametrize(
    ('name', 'score', 'shown'),
    [
        ('detection', {'pascal_voc/mAP': 0.1974}, 'mAP (11 points)        0.197'),
        ('segmentation', {'mIoU': 23.73, 'aAcc': 89.2}, 'mIoU (percent)         23.7'),
    ],
)
def test_table(tmp_path, name, score, shown):
    folder = write_log(tmp_path / 'log', score, [1, 2, 4, 11, 300])
    lines = list(quickstart.table(quickstart.TASKS[name], folder))
    assert lines[1] == shown
    assert lines[3] == 'iterations per stage   1.00 / 2.00 of 3 / 4'
    rows = [line.rsplit(maxsplit=4) for line in lines[6:]]
    expected = {'1-2': '2', '3-5': '1', 'more than 10': '2', 'all': '5'}
    assert {row[0].strip(): row[1] for row in rows} == expected
    assert {tuple(row[2:]) for row in rows} == {('3.00', '(3-3)', '75.0%')}


def test_budgets(tmp_path):
    task = quickstart.TASKS['segmentation']
    folders = {name: write_log(tmp_path / name, {'mIoU': 23.73}, [1]) for name in quickstart.CAPS}
    title, *lines = quickstart.budgets(task, folders)
    assert title.endswith(task.title)
    assert [line.rsplit(maxsplit=3) for line in lines] == [
        [name, '75.0%', '12', '23.7'] for name in ('as trained', 'at most 1')
    ]


def test_a_full_disk_is_one_line(tmp_path):
    (tmp_path / 'scenes.log').symlink_to('/dev/full')
    command = [sys.executable, TOOLS / 'quickstart.py', '--work-dir', tmp_path, '--data', '/dev/null/x']
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    path = tmp_path / 'scenes.log'
    assert done.stderr == f"quickstart.py: [Errno 28] No space left on device: '{path}'\n"
    assert done.returncode == 1
