"""Means over a log against torch's counter on the very images; logs of other models."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config

from iterbackbone.__main__ import config_root
from iterbackbone.mm.counting.logged_compute import read_evaluation_compute
from iterbackbone.mm.counting.summary import evaluation_summary, image_summary
from tests.support.compute import (
    C4,
    C4_MODULES,
    FPN,
    built,
    evaluate,
    narrow_c4,
    narrow_fpn,
    segmentor_config,
    spread_on_noise,
)

SIZES = [(64, 96), (96, 64), (64, 96), (64, 64), (50, 90)]  # the last is padded to (64, 96)


def detector(name, narrow):
    cfg = Config.fromfile(config_root() / name)
    narrow(cfg)
    return built(cfg)


def mean_of(model, folder, **options):
    log = read_evaluation_compute(folder, model)
    return evaluation_summary(model, log, options.get('number'), options.get('own', True))


@pytest.fixture(scope='module')
def c4(tmp_path_factory):
    """Model, folder of its log, MACs of each image."""
    torch.manual_seed(0)
    model = detector(C4, narrow_c4)
    spread_on_noise(model, C4_MODULES, (64, 96))
    folder = tmp_path_factory.mktemp('c4') / 'test_epoch_1'
    return model, folder, evaluate(model, SIZES, folder)


def test_c4s_mean_is_that_of_its_images(c4):
    model, folder, macs = c4
    assert len(set(macs)) > 3
    summary = mean_of(model, folder)
    assert summary['macs']['mean']['total'] == sum(macs) / 5
    assert summary['macs']['mean']['backbone'] is None  # the log has one number for both
    assert summary['macs']['lowest']['total'] < sum(macs) / 5 < summary['macs']['highest']['total']
    assert (summary['num_images'], summary['rois_as_logged']) == (5, True)
    assert sorted(summary['input_sizes']) == [[64, 64], [64, 96], [96, 64]]
    assert summary['input_sizes'][0] == [64, 96]
    records = [json.loads(line) for line in (folder / 'records.jsonl').read_text().splitlines()]
    assert summary['num_proposals'] == sum(record['num_rois'] for record in records) / 5
    for bound, field in (('lowest', 'macs_lowest'), ('highest', 'macs_full')):
        logged = sum(record[field] for record in records) / 5
        rest = summary['macs']['mean']['total'] - sum(record['macs'] for record in records) / 5
        assert summary['macs'][bound]['total'] == pytest.approx(logged + rest, rel=1e-12)
    plain = sum(record['macs_resnet'] for record in records) / 5
    assert summary['resnet'] == {
        **summary['resnet'],
        'name': 'ResNet (3, 4, 6, 5), width 8',
        'macs': plain,
    }


def test_a_baseline_at_the_logs_sizes_and_rois(c4):
    model, folder, _ = c4
    log = read_evaluation_compute(folder, model)
    summary = evaluation_summary(model, log, None, own=False)
    own = evaluation_summary(model, log, None, own=True)
    assert 'mean' not in summary['macs']
    assert summary['macs']['highest'] == own['macs']['highest']


def test_fpns_mean_at_a_fixed_number_of_proposals(tmp_path):
    model = detector(FPN, narrow_fpn)
    spread_on_noise(model, ('backbone',), (64, 96))
    evaluate(model, SIZES, tmp_path / 'log')
    summary = mean_of(model, tmp_path / 'log', number=20)
    mean, lowest = summary['macs']['mean'], summary['macs']['lowest']
    records = [json.loads(line) for line in (tmp_path / 'log/records.jsonl').read_text().splitlines()]
    assert mean['backbone'] == sum(record['macs'] for record in records) / 5
    images = {size: image_summary(model, size, 20)['macs']['lowest'] for size in SIZES}
    for child in ('neck', 'rpn_head', 'roi_head'):
        assert mean[child] == lowest[child] == sum(images[size][child] for size in SIZES) / 5
    assert summary['num_proposals'] == 20


def test_sliding_windows_run_the_whole_model_each(tmp_path):
    model = built(segmentor_config(dict(mode='slide', crop_size=(16, 16), stride=(16, 16))))
    spread_on_noise(model, ('backbone',), (16, 16))
    macs = evaluate(model, [(16, 32), (32, 48), (16, 16)], tmp_path / 'log')
    summary = mean_of(model, tmp_path / 'log')
    assert summary['input_sizes'] == [[16, 16]]
    assert summary['macs']['mean']['total'] == sum(macs) / 3
    head = summary['macs']['mean']['decode_head']
    assert head == (2 + 6 + 1) * 8 * 8 * (9 * 8 * 4 + 4 * 3) / 3


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'max_iterations': [3, 4, 7]}, r'whose max_iterations is \[3, 4, 6\].*is \[3, 4, 7\]'),
        ({'roi_max_iterations': [3]}, r'whose roi_max_iterations is \[5\].*is \[3\]'),
        ({'blocks_per_stage': [3]}, 'whose blocks_per_stage is'),
        ({'parameters': {'total': 1, 'backbone': 1}}, 'whose parameters is .* is {.total.: 1'),
        ({'schema_version': 3}, 'schema_version: Invalid enum value 3, got 3'),
    ],
)
def test_logs_of_other_models_are_refused(c4, tmp_path, change, message):
    model, folder, _ = c4
    meta = json.loads((folder / 'meta.json').read_text())
    (tmp_path / 'meta.json').write_text(json.dumps({**meta, **change}))
    (tmp_path / 'records.jsonl').write_text((folder / 'records.jsonl').read_text())
    with pytest.raises(ValueError, match=message):
        read_evaluation_compute(tmp_path, model)


def test_a_log_without_parameters_is_read(c4, tmp_path):
    """As FSDP leaves it."""
    model, folder, _ = c4
    meta = json.loads((folder / 'meta.json').read_text())
    (tmp_path / 'meta.json').write_text(json.dumps({**meta, 'parameters': {}}))
    (tmp_path / 'records.jsonl').write_text((folder / 'records.jsonl').read_text())
    read = [read_evaluation_compute(path, model) for path in (folder, tmp_path)]
    assert read[0].macs == read[1].macs > 0


@pytest.mark.parametrize(
    ('records', 'message'),
    [
        (None, 'has no records.jsonl'),
        ('', 'lines that cannot be used'),
        ('{"macs": 1\n', 'lines that cannot be used: .*records.jsonl:1'),
        (
            '{"iterations": [1, 1, 1], "total_iterations": 3, "macs": 1, "macs_full": 1}\n',
            'records.jsonl:1: num_calls is missing',
        ),
        (
            '{"iterations": [1], "total_iterations": 1, "macs": 1, "macs_full": 1, "num_calls": 1, '
            '"macs_lowest": 1, "macs_resnet": 1}\n',
            'records.jsonl:1: input_size is missing',
        ),
    ],
)
def test_incomplete_logs_are_refused(c4, tmp_path, records, message):
    model, folder, _ = c4
    (tmp_path / 'meta.json').write_text((folder / 'meta.json').read_text())
    if records is not None:
        (tmp_path / 'records.jsonl').write_text(records)
    with pytest.raises(ValueError, match=message):
        read_evaluation_compute(tmp_path, model)


def test_images_of_several_sizes_at_once_are_refused(c4, tmp_path):
    """Test-time augmentation: the log has the first call's size only."""
    model, folder, _ = c4
    lines = (folder / 'records.jsonl').read_text().splitlines()
    first = json.loads(lines[0])
    first['macs_lowest'] += 1
    (tmp_path / 'meta.json').write_text((folder / 'meta.json').read_text())
    (tmp_path / 'records.jsonl').write_text('\n'.join([json.dumps(first), *lines[1:]]) + '\n')
    with pytest.raises(ValueError, match='test-time augmentation cannot be counted'):
        mean_of(model, tmp_path)


def test_rois_of_masks_are_refused(c4, monkeypatch):
    model, folder, _ = c4
    monkeypatch.setattr(type(model), 'with_mask', True)
    with pytest.raises(ValueError, match='must not count the RoIs of a mask head'):
        mean_of(model, folder)


def test_an_image_in_json(c4):
    model, _, _ = c4
    summary = image_summary(model, (50, 90), 7)
    assert json.loads(json.dumps(summary)) == summary
    assert (summary['image_size'], summary['input_size']) == ([50, 90], [64, 96])
    backbone, head = summary['iterative']
    assert [stage['stage'] for stage in backbone['stages']] == [0, 1, 2]
    assert (head['name'], head['rows'], head['stages'][0]['stage']) == ('roi_head.shared_head', 7, 3)
    assert head['stages'][0]['max_iterations'] == head['stages'][0]['limits'] == [5]
    assert summary['macs']['lowest']['total'] == sum(list(summary['macs']['lowest'].values())[1:])
    assert summary['resnet']['parameters'] > summary['parameters']['backbone']


def test_a_log_under_a_budget_is_of_the_model_with_that_budget(c4, tmp_path):
    model, _, _ = c4
    model.backbone.set_budget(max_iterations=2)
    try:
        macs = evaluate(model, SIZES[:2], tmp_path / 'test_epoch_1')
        assert mean_of(model, tmp_path / 'test_epoch_1')['macs']['mean']['total'] == sum(macs) / 2
    finally:
        model.backbone.set_budget()
    with pytest.raises(ValueError, match='of the same model as the config, whose budget is'):
        read_evaluation_compute(tmp_path / 'test_epoch_1', model)
