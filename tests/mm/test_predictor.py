"""Each toolbox's own inferencer and visualiser, with what a picture cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from iterbackbone.core.macs import mac_table
from iterbackbone.mm.configs import build_model
from iterbackbone.mm.predictor import Predictor
from tests.drop_in.test_inferencers import shrink
from tests.support.detector_configs import detector_cfg
from tests.support.drop_in_runs import families, family_config

FULL = (3, 4, 6, 3)


@pytest.fixture(params=['mmdet', 'mmseg', 'mmpretrain'])
def files(request, tmp_path):
    """A small model's config and checkpoint, whose classes have names."""
    cfg = family_config(families(request.param)[0], tmp_path)
    shrink(cfg.test_dataloader.dataset.pipeline)
    torch.manual_seed(0)
    model = build_model(cfg)
    for name, parameter in model.named_parameters():
        if name.endswith('halting.fc2.bias'):
            torch.nn.init.constant_(parameter, 9.0)  # one iteration everywhere
    config, checkpoint = tmp_path / 'small.py', tmp_path / 'small.pth'
    cfg.dump(config)
    classes = tuple(f'class {i}' for i in range(200))
    palette = [(i, 255 - i, i) for i in range(200)]
    meta = dict(dataset_meta=dict(classes=classes, palette=palette))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), checkpoint)
    return config, str(checkpoint)


def test_cost_and_drawing(files):
    predictor = Predictor(*files, 'cpu', None, 0.0)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    low, high = predictor.predict(picture), predictor.predict(picture, full_depth=True)
    assert (low.iterations, low.limits) == ((1, 1, 1, 1), FULL)
    assert high.iterations == FULL
    table = mac_table(predictor._modules[0], (64, 64))
    assert low.macs_full == high.macs_full == table.highest
    assert low.macs == table.total((1, 1, 1, 1))
    assert low.ms > 0
    assert predictor.predict(picture).iterations == (1, 1, 1, 1)
    drawn = predictor.draw(picture, low)
    side = 480 if predictor._toolbox == 'mmpretrain' else 64  # its text would be cut
    assert (drawn.dtype, drawn.shape) == (np.uint8, (side, side, 3))
    assert not np.array_equal(drawn, picture[..., ::-1])


@pytest.mark.parametrize('files', ['mmseg'], indirect=True)
@pytest.mark.parametrize('palette', [None, [(i, 255 - i, i) for i in range(200)]])
def test_a_segmentor_is_drawn_in_its_own_classes(files, palette):
    """Not in those of Cityscapes, of which there are 19."""
    config, checkpoint = files
    content = torch.load(checkpoint, weights_only=True)
    content['meta']['dataset_meta']['palette'] = palette
    torch.save(content, checkpoint)
    picture = np.zeros((64, 64, 3), np.uint8)
    predictor = Predictor(config, checkpoint, 'cpu', None, 0.0)
    prediction = predictor.predict(picture)
    prediction.sample.pred_sem_seg.data[:] = 100
    drawn = predictor.draw(picture, prediction)[0, 0]
    said = predictor._visualizer.dataset_meta
    assert said['classes'][100] == 'class 100'
    assert drawn == pytest.approx(0.8 * np.array(said['palette'][100]), abs=1)
    assert palette is None or said['palette'] == palette
    pixel = picture[:1, :1]
    assert predictor.draw(pixel, predictor.predict(pixel)).size


def test_limits_are_those_of_the_backbones_that_ran(tmp_path):
    """Of teacher and student only the teacher predicts."""
    cfg = detector_cfg('retinanet')
    preprocessor = dict(
        type='MultiBranchDataPreprocessor', data_preprocessor=cfg.model.pop('data_preprocessor')
    )
    semi = dict(type='SoftTeacher', detector=cfg.model, data_preprocessor=preprocessor)
    cfg.model = dict(**semi, semi_train_cfg=dict(), semi_test_cfg=dict(predict_on='teacher'))
    shrink(cfg.test_dataloader.dataset.pipeline)
    cfg.dump(tmp_path / 'small.py')
    meta = dict(dataset_meta=dict(classes=('a', 'b', 'c')))
    torch.save(dict(state_dict=build_model(cfg).state_dict(), meta=meta), tmp_path / 'small.pth')
    predictor = Predictor(tmp_path / 'small.py', str(tmp_path / 'small.pth'), 'cpu', None, 0.3)
    cost = predictor.predict(np.zeros((64, 64, 3), np.uint8), full_depth=True)
    assert cost.iterations == cost.limits == (4, 5)
    assert cost.macs == cost.macs_full


def test_a_checkpoint_that_does_not_fit_is_refused(files, capsys):
    """The toolboxes would only log it, and predict with random weights."""
    config, checkpoint = files
    content = torch.load(checkpoint, weights_only=True)
    key = next(key for key in content['state_dict'] if 'head' in key and key.endswith('weight'))
    content['state_dict']['other'] = content['state_dict'].pop(key)
    torch.save(content, checkpoint)
    with pytest.raises(ValueError, match=f'does not fit .* 1 missing: {key}; 1 unexpected: other'):
        Predictor(config, checkpoint, 'cpu', None, 0.3)
    assert 'unexpected key' not in capsys.readouterr().out  # the error says it in one line


def test_wrong_settings_are_named(files):
    config, checkpoint = files
    with pytest.raises(ValueError, match=r'^--budget needs fitted halting: .*, got 0\.5$'):
        Predictor(config, checkpoint, 'cpu', 0.5, 0.3)
    with pytest.raises(ValueError, match=r"--device must be one that torch can use, got 'abacus'"):
        Predictor(config, checkpoint, 'abacus', None, 0.3)
    with pytest.raises(ValueError, match=r'checkpoint must be a file, got none\.pth'):
        Predictor(config, 'none.pth', 'cpu', None, 0.3)
    torch.save(dict(state_dict=3), checkpoint)
    with pytest.raises(ValueError, match='its state_dict must be a dict of tensors, got a int'):
        Predictor(config, checkpoint, 'cpu', None, 0.3)
