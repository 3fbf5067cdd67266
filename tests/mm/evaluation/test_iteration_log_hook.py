"""IterationLogHook inside a real small Runner with train, val and test loops."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from PIL import Image

from iterbackbone.core.macs import mac_table
from iterbackbone.core.resnet_counterpart import ResNetCounterpart, resnet_macs
from iterbackbone.mm import report_iterations
from tests.support.classifier_runs import classifier_run
from tests.support.interruption import interrupted
from tests.support.networks import varied
from tests.support.openmmlab import detector_config, read_log

FILES = ['meta.json', 'predictions.jsonl', 'records.jsonl']


@pytest.fixture(scope='module', autouse=True)
def _no_pictures():
    """Here they are drawn."""


def true_objects(shapes_root, img_id):
    """Boxes and difficult flags straight from the XML, 0-based as mmdet reads them."""
    root = ET.parse(shapes_root / f'VOCdevkit/VOC2007/Annotations/{img_id}.xml').getroot()
    corners = ('xmin', 'ymin', 'xmax', 'ymax')
    boxes = {False: [], True: []}
    for thing in root.findall('object'):
        box = [int(thing.find(f'bndbox/{corner}').text) - 1 for corner in corners]
        boxes[thing.find('difficult').text == '1'].append(box)
    return boxes[False], boxes[True]


@pytest.fixture(scope='module')
def trained(shapes_root, tmp_path_factory):
    """One epoch of 4 steps with validation, then a test, two images at a time.

    The halting units are set so that images differ, and training keeps them so.
    """
    cfg = detector_config(shapes_root, tmp_path_factory.mktemp('run'))
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
    cfg.custom_hooks[0].update(halting_warmup=0.0, ramp=0.0)
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.model.backbone.norm_eval = True
    cfg.val_dataloader['batch_size'] = cfg.test_dataloader['batch_size'] = 2
    cfg.visualizer['name'] = 'iteration log'  # one of each name in a process, with its first folder
    runner = Runner.from_cfg(cfg)
    batches = runner.build_dataloader(cfg.val_dataloader)
    inputs = [runner.model.data_preprocessor(batch)['inputs'] for batch in batches]
    varied(runner.model.backbone, torch.cat(inputs))
    runner.train()
    runner.test()
    return runner


def test_two_hooks_are_refused(tmp_path):
    """A base's custom_hooks may have one, and the default_hooks another."""
    runner = classifier_run(tmp_path, dict(type='iterbackbone.IterationLogHook'))
    with pytest.raises(ValueError, match='two IterationLogHooks'):
        runner.val()
    assert not list(tmp_path.glob('*/iterations'))


@pytest.fixture(scope='module')
def folder(trained):
    return Path(trained.log_dir, 'iterations', 'val_epoch_1')


def test_val_and_test_write_the_same_complete_log(trained, folder):
    assert sorted(p.name for p in folder.iterdir()) == FILES
    test = folder.with_name('test_epoch_1')
    assert sorted(p.name for p in test.iterdir()) == FILES
    for name in ('records.jsonl', 'predictions.jsonl'):
        assert (test / name).read_text() == (folder / name).read_text()


def test_objects_match_the_xml(folder, shapes_root):
    records, predictions, _ = read_log(folder)
    ids = (shapes_root / 'VOCdevkit/VOC2007/ImageSets/Main/val.txt').read_text().split()
    assert [r['img_id'] for r in records] == [p['img_id'] for p in predictions] == ids
    for record, prediction in zip(records, predictions, strict=True):
        boxes, difficult = true_objects(shapes_root, record['img_id'])
        areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes]
        assert record['num_objects'] == len(boxes)
        assert record['num_difficult'] == len(difficult)
        mean = sum(areas) / len(areas) if areas else None
        assert record['mean_object_area'] == pytest.approx(mean)
        relative = mean / (96 * 64) if areas else None
        assert record['mean_relative_area'] == pytest.approx(relative)
        assert prediction['true']['boxes'] == boxes
        assert prediction['difficult']['boxes'] == difficult
        assert (record['height'], record['width']) == (64, 96)


def test_compute_matches_a_forward_pass(trained, folder):
    records, _, meta = read_log(folder)
    assert len({tuple(record['iterations']) for record in records}) > 2
    model, dataset = trained.model.eval(), trained.val_dataloader.dataset
    for record, item in zip(records, dataset, strict=True):
        with torch.no_grad():
            data = trained.val_dataloader.collate_fn([item])
            model.test_step(data)
        trace = model.backbone.trace
        assert record['iterations_per_block'] == trace.iterations[0].tolist()
        assert record['ponder_cost'] == pytest.approx(trace.ponder_cost[0].sum().item())
        table = mac_table(model.backbone, trace.input_size)
        assert record['macs'] == table.total(trace.iterations[0].tolist(), trace.limits)
        assert record['macs_full'] == table.highest
        assert record['macs_lowest'] == table.lowest
        assert record['macs_resnet'] == resnet_macs(model.backbone, (64, 96))
        assert record['input_size'] == [64, 96]
        assert record['num_calls'] == 1
        assert record['total_iterations'] == sum(record['iterations'])
    assert meta['mac_table']['input_size'] == [64, 96]


def test_meta(trained, folder):
    _, _, meta = read_log(folder)
    assert meta['schema_version'] == 2
    assert meta['task'] == 'detection'
    assert meta['model'] == 'FasterRCNN'
    assert meta['epoch'] == 1
    assert meta['classes'] == ['circle', 'square', 'triangle', 'star', 'ring', 'cross']
    assert meta['max_iterations'] == [3, 4, 6, 3]
    assert meta['parameters']['total'] == sum(p.numel() for p in trained.model.parameters())
    plain = ResNetCounterpart.of(trained.model.backbone)
    assert plain.name == 'ResNet (3, 4, 6, 3), width 16'
    assert meta['resnet'] == {'name': plain.name, 'parameters': plain.parameters}
    assert 'pascal_voc/mAP' in meta['score']
    assert meta['time'].pop('milliseconds_per_image') > 1
    assert meta['time'] == {'batch_size': 2, 'device': 'cpu', 'threads': torch.get_num_threads()}
    assert meta['dataset'] == {
        'type': 'XMLDataset',
        'ann_file': trained.val_dataloader.dataset.ann_file,
        'num_images': 5,
        'crowds': False,
    }


def test_an_interrupted_evaluation_leaves_a_part(trained, monkeypatch):
    runner = trained
    left = interrupted(runner, runner.val, runner.val_evaluator, monkeypatch)
    assert left.name == 'val_epoch_1.part'
    assert len(list(left.iterdir())) == 2
    assert all(path.suffix == '.part' for path in left.iterdir())


def test_iterations_in_metainfo_without_a_runner(trained, folder):
    records, _, _ = read_log(folder)
    model = report_iterations(trained.model.eval())
    item = trained.val_dataloader.dataset[2]
    with torch.no_grad():
        (sample,) = model.test_step(trained.val_dataloader.collate_fn([item]))
    assert sample.iterations == records[2]['iterations']
    assert sample.macs == records[2]['macs']


def test_the_visualizer_gets_scalars_and_the_picture(trained, folder):
    data = Path(trained.log_dir, 'vis_data')
    lines = [json.loads(line) for line in (data / 'scalars.json').read_text().splitlines()]
    (logged,) = [line for line in lines if 'val/gmacs' in line]
    records, _, _ = read_log(folder)
    assert logged['step'] == 1
    assert logged['val/gmacs'] == pytest.approx(sum(r['macs'] for r in records) / len(records) / 1e9)
    stages = zip(*(record['iterations'] for record in records), strict=True)
    for k, stage in enumerate(stages):
        assert logged[f'val/mean_iterations_stage{k}'] == pytest.approx(sum(stage) / len(records))
    assert {'val/rho_objects', 'val/rho_size', 'test/gmacs'} <= {key for line in lines for key in line}
    training = {key for line in lines if 'loss' in line for key in line}
    assert 'iterations_stage2' in training  # mmdet's analyze_logs.py drops what is before the slash
    assert not training & {key.partition('/')[2] for key in logged}
    picture = Image.open(data / 'vis_image' / 'val_iterations_and_objects_1.png')
    assert len(picture.convert('RGB').getcolors(2**24)) > 10
