"""The paper's tables: counts against arithmetic, marks, logs of real evaluations, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

import experiments.paper_tables.reproduce_table as tool
from experiments.paper_tables import TABLES
from experiments.paper_tables.networks import iterative, resnet
from experiments.paper_tables.row import Row, Table

TINY = dict(stem='cifar', base_channels=4, expansion=1, max_iterations=(2, 3, 2, 2))
SMALL = resnet(18, 2, 'cifar')
SMALL['backbone'].update(base_channels=4, stem_channels=4)
SMALL['head']['in_channels'] = 32


def tiny(**options):
    model = iterative(2, **{**TINY, **options})
    model['head']['in_channels'] = 32
    return model


TABLE = Table(
    title='Tiny',
    image_size=8,
    accuracies=('top1',),
    parts={
        'Plain': (Row('ResNet152', SMALL, dict(top1='77', macs_mean='3.7')), Row('Nowhere', None)),
        'Ours': (
            Row('ours', tiny(), dict(top1='70.2')),
            Row('double', tiny(blocks_per_stage=2)),
            Row('large', tiny(), image_size=16),
        ),
    },
    notes=('A note.',),
)


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setitem(TABLES, 1, TABLE)


@pytest.fixture(scope='module')
def logs(tmp_path_factory):
    """Folders of evaluations on four images by mmpretrain's Runner, by row."""
    root = tmp_path_factory.mktemp('images')
    for number in range(4):
        folder = root / 'val' / 'ab'[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(256, size=(8, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), noise)
    rows = TABLE.rows
    plain, ours = (evaluate(root, rows[name].model) for name in ('ResNet152', 'ours'))
    return {'ResNet152': plain, 'ours': ours / 'iterations/test_epoch_0'}


def evaluate(root, model):
    """The ``WORK_DIR/TIMESTAMP`` of a test."""
    work_dir = root / f'work_dirs_{model["backbone"]["type"]}'
    dataset = dict(type='CustomDataset', data_root=str(root), data_prefix='val')
    dataset['pipeline'] = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    cfg = dict(
        default_scope='mmpretrain',
        model=model,
        work_dir=str(work_dir),
        test_dataloader=dict(
            batch_size=1,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        test_cfg=dict(),
        test_evaluator=dict(type='Accuracy', topk=(1,)),
        log_level='WARNING',
        experiment_name=work_dir.name,
    )
    if 'iterbackbone' in model['backbone']['type']:
        cfg['custom_hooks'] = [dict(type='iterbackbone.IterationLogHook')]
    runner = Runner.from_cfg(Config(cfg))
    if 'custom_hooks' in cfg:
        runner.model.backbone.stages[1].blocks[0].halting.fc2.bias.data.fill_(5)  # one iteration
    runner.test()
    return Path(runner.log_dir)


def run(capsys, *arguments):
    tool.main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def cells(text, name):
    """The cells of a row, without its name."""
    (line,) = [line for line in text.splitlines() if line.startswith(f'| {name} ')]
    return [cell.strip() for cell in line.split('|')[2:-1]]


# Millions of parameters without and with classifier, GMAC at one and at all iterations.
CIFAR = {
    'IterativeNet152_e4': (9.33, 9.35, 0.40, 3.69),
    'IterativeNet152_e3': (7.28, 7.29, 0.32, 3.22),
    'IterativeNet152_e2': (5.57, 5.58, 0.25, 2.76),
    'IterativeNet152_e1': (4.20, 4.21, 0.20, 2.32),
    'IterativeNet152_e4_dw': (6.58, 6.60, 0.27, 2.02),
    'IterativeNet152_e1_dw': (1.45, 1.46, 0.06, 0.65),
}


def test_table_1(capsys, tmp_path):
    out = run(capsys, 1, '--json', tmp_path / 'a.json', '--markdown', tmp_path / 'a.md')
    content = json.loads((tmp_path / 'a.json').read_text())
    assert {path.name for path in tmp_path.iterdir()} == {'a.json', 'a.md'}
    assert (tmp_path / 'a.md').read_text() == out
    found = {row['name']: row['cells'] for row in content['rows']}
    assert list(found) == list(TABLES[1].rows)
    keys = ('features', 'parameters', 'macs_lowest', 'macs_highest')
    for name, expected in CIFAR.items():
        units = zip(keys, (1e6, 1e6, 1e9, 1e9), strict=True)
        assert tuple(round(found[name][k]['measured'] / unit, 2) for k, unit in units) == expected
        assert found[name]['macs_mean']['measured'] is None
    resnet152 = found['ResNet152']
    features = 60192808 - 1000 * 2049 - 3 * 64 * (49 - 9)  # torchvision's without classifier, 3x3 stem
    assert resnet152['features'] == {'measured': features, 'paper': '58', 'quartiles': None}
    assert 'macs_highest' not in resnet152
    assert cells(out, 'ResNet152')[:5] == ['58.16', '58.14 [58]', '', '3.72 [3.7]', '']
    assert cells(out, 'IterativeNet152_e4')[:6] == ['9.35', '9.33 [9]', '0.40', '-', '3.69', '-']
    assert cells(out, 'IterativeNet152_e4')[6:] == ['not measured'] * 3
    assert 'Forward time: not measured' in out
    assert '40% to 80%' in out


def test_logs_give_mean_macs_and_accuracy(table, logs, capsys, tmp_path):
    given = [argument for row, folder in logs.items() for argument in ('--log', f'{row}={folder}')]
    out = run(capsys, 1, *given, '--json', tmp_path / 'a')
    meta = json.loads((logs['ours'] / 'meta.json').read_text())
    records = [json.loads(n) for n in (logs['ours'] / 'records.jsonl').read_text().splitlines()]
    assert [record['iterations'] for record in records] == [[2, 1, 2, 2]] * 4
    score = json.loads((logs['ResNet152'] / f'{logs["ResNet152"].name}.json').read_text())
    found = {row['name']: row['cells'] for row in json.loads((tmp_path / 'a').read_text())['rows']}
    assert found['ours']['top1'] == {
        'measured': meta['score']['accuracy/top1'],
        'paper': '70.2',
        'quartiles': None,
    }
    assert found['ResNet152']['top1']['measured'] == score['accuracy/top1']
    classifier = 32 * 2
    assert found['ours']['macs_mean']['measured'] == records[0]['macs'] + classifier
    assert found['ours']['macs_lowest']['measured'] == records[0]['macs_lowest'] + classifier
    assert found['ours']['macs_highest']['measured'] == records[0]['macs_full'] + classifier
    assert cells(out, 'ours')[5] == f'{meta["score"]["accuracy/top1"]:.1f} [70.2]'
    assert cells(out, 'double')[3] == cells(out, 'double')[5] == '-'
    assert cells(out, 'Nowhere: in neither torchvision nor mmpretrain')[:2] == ['-', '-']
    assert '- A note.' in out
    assert f'- Evaluation of ours: {logs["ours"]}' in out


def test_times_stand_beside_the_resnets(table, logs, capsys):
    out = run(capsys, 1, '--time', 2, '--log', f'ours={logs["ours"]}')
    assert cells(out, 'ResNet152')[6:] == ['', '100 (100-100)', '']
    assert all('(' in cell for cell in cells(out, 'ours')[6:])
    assert cells(out, 'double')[7] == '-'
    assert 'as a share of ResNet152 in the same round' in out
    assert 'not measured' not in out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('4', 'argument table: invalid choice: 4 (choose from 1, 2, 3)'),
        ('1 --log ours', "argument --log: must be ROW=FOLDER, got 'ours'"),
        (
            '1 --log theirs=x',
            "row must be one of ResNet152, Nowhere, ours, double, large, got 'theirs'",
        ),
        ('1 --log Nowhere=x', 'row must be of a network that can be built, got Nowhere'),
        ('1 --log ours={folder}', 'no complete evaluation: it has no meta.json'),
        ('1 --log double={ours}', 'whose max_iterations is [2, 2, 3, 3, 2, 2, 2, 2]; that of {ours}'),
        ('1 --log large={ours}', 'must be of inputs of (16, 16) pixels, that of {ours} is of [(8, 8)]'),
        (
            '1 --log ours={ours} --log ours=x',
            'argument --log: at most one for each row, got two for ours',
        ),
        ('1 --log ResNet152={folder}', "must be the WORK_DIR/TIMESTAMP of mmpretrain's test.py"),
        ('1 --log ResNet152={other}', 'that of {other} has'),
        ('1 --time 1', 'argument --time: must be at least 2, got 1'),
        ('1 --json {folder}/none/a', 'argument --json: must be in a folder that exists'),
    ],
)
def test_bad_arguments_are_named(table, logs, tmp_path, capsys, arguments, message):
    other = tmp_path / '20260101'
    (other / 'vis_data').mkdir(parents=True)
    (other / '20260101.json').write_text('{}')
    Config(dict(default_scope='mmpretrain', model=tiny())).dump(other / 'vis_data/config.py')
    places = {'folder': tmp_path, 'ours': logs['ours'], 'other': other}
    with pytest.raises(SystemExit) as stopped:
        tool.main(arguments.format(**places).split())
    assert stopped.value.code == 2
    assert message.format(**places) in capsys.readouterr().err
