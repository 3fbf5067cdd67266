"""The log's MACs of an image are those torch counts in the whole detector on that very image."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.runner import Runner

from iterbackbone.core.resnet_counterpart import ResNetCounterpart
from iterbackbone.mm.counting.logged_compute import read_evaluation_compute
from iterbackbone.mm.counting.summary import evaluation_summary
from tests.support.compute import C4, C4_MODULES, FPN, counted, narrow_c4, narrow_fpn, spread
from tests.support.openmmlab import detector_config, read_log

DETECTORS = {'fpn': (FPN, narrow_fpn, ('backbone',)), 'c4': (C4, narrow_c4, C4_MODULES)}


@pytest.mark.parametrize('batch_size', [1, 2])
@pytest.mark.parametrize('detector', DETECTORS)
def test_logged_macs_are_those_torch_counts(shapes_root, tmp_path, detector, batch_size):
    name, narrow, modules = DETECTORS[detector]
    cfg = detector_config(shapes_root, tmp_path, name)
    narrow(cfg)
    cfg.val_dataloader['batch_size'] = batch_size
    runner = Runner.from_cfg(cfg)
    model, val_step, counts = runner.model, runner.model.val_step, []
    loader = runner.build_dataloader(cfg.val_dataloader)
    spread(model, modules, [lambda m, batch=batch: m.val_step(batch) for batch in loader])

    def counting_step(data):
        outputs = []
        counts.append(counted(lambda: outputs.extend(val_step(data))))
        return outputs

    model.val_step = counting_step
    runner.val()
    folder = Path(runner.log_dir, 'iterations', 'val_epoch_0')
    records, _, meta = read_log(folder)
    macs = [record['macs'] for record in records]
    batches = [sum(macs[i : i + batch_size]) for i in range(0, len(macs), batch_size)]
    assert batches == [sum(count[f'FasterRCNN.{module}'] for module in modules) for count in counts]
    assert len({tuple(record['iterations']) for record in records}) > 2
    assert len(set(macs)) > 2
    for record in records:
        assert record['macs_lowest'] <= record['macs'] <= record['macs_full']
    assert any(record['macs'] < record['macs_full'] for record in records)
    plain = ResNetCounterpart.of(*(model.get_submodule(module) for module in modules))
    assert meta['resnet'] == {'name': plain.name, 'parameters': plain.parameters}
    if detector == 'c4':
        assert plain.name == 'ResNet (3, 4, 6, 5), width 8'
        assert len({record['mean_roi_iterations'] for record in records}) > 2
        assert all(0 < record['num_rois'] <= 20 for record in records)
        log = read_evaluation_compute(folder, model)
        mean = evaluation_summary(model, log, None, own=True)['macs']['mean']
        assert mean['total'] == sum(count['Global'] for count in counts) / len(records)
