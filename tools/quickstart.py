"""The quickstart: makes scenes, trains and tests a small detector (or segmentor) with mmdet's (or
mmseg's) own tools, and prints where the compute went.

A finished run is not repeated and an interrupted one is resumed; give another --work-dir to start
afresh.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from statistics import fmean as mean
from typing import NamedTuple

from matplotlib.cbook import get_sample_data

from iterbackbone.__main__ import config_path, tool_path
from iterbackbone.files import named_errors


class Task(NamedTuple):
    """What is trained, by whose tools, and the score that the table shows."""

    package: str
    config: str
    metric: str
    title: str
    work_dir: Path


TASKS = {
    'detection': Task(
        'mmdet',
        'fcos_efficientnet-lite0-iterative_fpn_shapes',
        'pascal_voc/mAP',
        'mAP (11 points)',
        Path('work_dirs/quickstart'),
    ),
    'segmentation': Task(
        'mmseg',
        'upernet_iterative-r50-tiny_shapes',
        'mIoU',
        'mIoU (percent)',
        Path('work_dirs/quickstart-segmentation'),
    ),
}
STEP, LEFT = re.compile(r'Epoch\(\w+\) +\[\d+\]\[ *\d+/\d+\]'), re.compile(r' (eta: [\d:]+)')
LOSS = re.compile(r' (loss: [\d.]+)')
CAPS = {'as trained': None, 'at most 1': 1}  # iterations of each stage
ANY = 10**9
BINS = {'1-2': (1, 2), '3-5': (3, 5), '6-10': (6, 10), 'more than 10': (11, ANY), 'all': (0, ANY)}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'task', nargs='?', choices=TASKS, default='detection', help='default: %(default)s'
    )
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=argparse.SUPPRESS,
        help=f'default: {", ".join(f"{task.work_dir} for {name}" for name, task in TASKS.items())}',
    )
    data = parser.add_argument('--data', type=Path, default=Path('data/shapes'))
    data.help = 'scenes, made if absent; default: %(default)s'
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        help='handed to the tools, such as train_cfg.max_epochs=1',
    )
    return parser.parse_args()


def run(title, command, log, env=None):
    """Run a command, its whole output to ``log``, its progress to the terminal."""
    print(f'\n== {title}\n   {" ".join(map(str, command))}\n   full output: {log}', flush=True)
    tail = deque(maxlen=30)
    with named_errors(log), open(log, 'w') as file:
        process = subprocess.Popen(
            [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
        )
        for line in process.stdout:
            file.write(line)
            tail.append(line)
            if step := STEP.search(line):
                found = (LOSS.search(line), LEFT.search(line))
                print('  ', step[0], *(match[1] for match in found if match), flush=True)
    if process.wait():
        sys.exit(f'{"".join(tail)}\n{title} failed with exit code {process.returncode}, see {log}')


def latest_log(work_dir):
    """The newest complete folder of the iteration log of a test."""
    folders = work_dir.glob('*/iterations/test_*/meta.json')
    return max(folders, key=lambda path: path.stat().st_mtime).parent


def table(task, folder):
    """A few lines for the terminal, from the evaluation's folder."""
    meta, records = read(folder)
    stages = zip(*(record['iterations'] for record in records), strict=True)
    yield f'validation images      {len(records)}'
    yield f'{task.title:<22} {meta["score"][task.metric]:.3g}'
    yield (
        f'parameters             {meta["parameters"]["total"] / 1e6:.2f} M, '
        f'of which the backbone {meta["parameters"]["backbone"] / 1e6:.2f} M'
    )
    yield (
        'iterations per stage   '
        + ' / '.join(f'{mean(stage):.2f}' for stage in stages)
        + f' of {" / ".join(map(str, meta["max_iterations"]))}'
    )
    yield ''
    yield 'objects in the image   images   iterations (lowest-highest)   backbone MACs, share of full'
    for name, (low, high) in BINS.items():
        part = [r for r in records if low <= r['num_objects'] <= high]
        if part:
            total = [r['total_iterations'] for r in part]
            share = mean(r['macs'] for r in part) / mean(r['macs_full'] for r in part)
            spread = f'{mean(total):.2f} ({min(total)}-{max(total)})'
            yield f'{name:<22} {len(part):>6}   {spread:<27}   {share:.1%}'


def budgets(task, folders):
    """A line a budget, from the evaluations' folders by its name."""
    yield f'iterations of a stage    backbone MACs, share of full   ms/image   {task.title}'
    for name, folder in folders.items():
        meta, records = read(folder)
        share = mean(r['macs'] for r in records) / mean(r['macs_full'] for r in records)
        ms = meta['time']['milliseconds_per_image']
        yield f'{name:<22}   {share:<28.1%}   {ms:<8.0f}   {meta["score"][task.metric]:.3g}'


def read(folder):
    """Meta and records of an evaluation."""
    records = (folder / 'records.jsonl').read_text().splitlines()
    return json.loads((folder / 'meta.json').read_text()), [json.loads(line) for line in records]


def main():
    args = parse_args()
    started = time.monotonic()
    task = TASKS[args.task]
    work_dir = vars(args).get('work_dir', task.work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, 'ITERBACKBONE_SHAPES_ROOT': str(args.data)}
    config, place = config_path(task.config), ['--work-dir', work_dir]
    options = ['--cfg-options', *args.cfg_options] if args.cfg_options else []
    make = [sys.executable, Path(__file__).with_name('make_shapes_voc.py'), args.data]
    run('scenes', make, work_dir / 'scenes.log')
    resume = ['--resume'] if (work_dir / 'last_checkpoint').exists() else []  # it drops load_from
    train = [sys.executable, tool_path(task.package, 'train'), config, *place, *resume, *options]
    run('training', train, work_dir / 'train.log', env)
    checkpoint = Path((work_dir / 'last_checkpoint').read_text().strip())
    folders = {}
    for name, most in CAPS.items():
        place = work_dir if most is None else work_dir / f'at_most_{most}'
        place.mkdir(exist_ok=True)
        test = [sys.executable, tool_path(task.package, 'test'), config, checkpoint]
        test += ['--work-dir', place, '--cfg-options', f'model.backbone.budget.max_iterations={most}']
        run(f'evaluation, {name}', [*test, *args.cfg_options], place / 'test.log', env)
        folders[name] = latest_log(place)
    report = work_dir / 'report'
    analyze = [sys.executable, Path(__file__).with_name('analyze_iterations.py'), *folders.values()]
    analyze += ['--image-root', Path(), '--image-root', args.data]
    analyze += ['--out', report, '--names', *folders]
    run('report', analyze, work_dir / 'report.log')
    photo = get_sample_data('grace_hopper.jpg', asfileobj=False)  # in the public domain
    demo = [sys.executable, '-m', 'iterbackbone', 'demo', photo, '--out', work_dir / 'demo']
    run('shipped detector on a photograph', demo, work_dir / 'demo.log')
    print('\n' + '\n'.join([*table(task, folders['as trained']), '', *budgets(task, folders)]))
    print(f'\nreport         {report / "report.html"}')
    print(f'photograph     {work_dir / "demo" / "grace_hopper.png"}')
    print(f'checkpoint     {checkpoint}\niteration log  {folders["as trained"]}')
    print(f'scenes         {args.data}\ntime           {time.monotonic() - started:.0f} s')


if __name__ == '__main__':
    try:
        main()
    except OSError as error:
        sys.exit(f'{Path(__file__).name}: {error}')
