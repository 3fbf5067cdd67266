"""The command line: a file that does what PyTorch does, or none; every refusal in plain words."""

from __future__ import annotations

import json
import re

import export_onnx as tool
import numpy as np
import onnx
import pytest
import torch
from torch import nn

from iterbackbone.export.onnx.runtime import open_session
from iterbackbone.mm.configs import read_config, trained_model
from iterbackbone.mm.export.models import ExportedModel
from tests.support.exported_classifier import QUICK, export, write_classifier
from tests.support.networks import tiny_net
from tests.support.pretrained import CLASSES, pack
from tests.support.shared_files import made_once


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A config, a checkpoint whose iterations vary between images, and a folder of images."""
    return made_once(tmp_path_factory, 'exported_classifier', write_classifier)


@pytest.fixture(scope='module')
def written(trained):
    """The file and what was printed."""
    return trained / 'out/model.onnx', (trained / 'printed').read_text()


def test_writes_one_file_and_says_what_it_does(written):
    path, printed = written
    assert [p.name for p in path.parent.iterdir()] == ['model.onnx']
    assert 'compared     6 images; same iterations for 100.0% of them' in printed
    for word in ('scores, iterations, macs', 'size', 'lowest', 'own', 'written'):
        assert word in printed
    assert re.search(r'highest .* 4\.50 iterations a block', printed)


@pytest.fixture
def exported(written, monkeypatch):
    """The file above in place of another export, which takes seconds."""
    monkeypatch.setattr(tool, 'onnx_model', lambda *_: onnx.load(written[0]))


@pytest.mark.usefixtures('exported')
def test_a_full_disk_is_said_in_one_line(trained, tmp_path, capsys):
    (tmp_path / 'model.onnx.part').symlink_to('/dev/full')
    with pytest.raises(SystemExit) as stopped:
        export(trained, tmp_path / 'model.onnx', *QUICK)
    assert stopped.value.code == 2
    assert 'error: argument --out: [Errno 28] No space left on device' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_file_describes_itself(written):
    session = open_session(str(written[0]))
    description = json.loads(session.get_modelmeta().custom_metadata_map['iterbackbone'])
    assert description['task'] == 'classification'
    assert description['classes'] == list('abcdefghij')
    assert description['steps'] == []
    assert description['max_iterations'] == [3, 6]
    assert description['halting_threshold'] == pytest.approx(0.99)
    assert description['fixed'] is None


def test_the_files_images_differ_and_a_budget_stops_them(written):
    session = open_session(str(written[0]))
    images = np.random.default_rng(1).integers(0, 256, (6, 3, 32, 32)).astype(np.uint8)
    images = images // np.arange(1, 7, dtype=np.uint8).reshape(-1, 1, 1, 1)
    scores, iterations, _ = session.run(None, {'image': images})
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert len({tuple(row) for row in iterations}) > 1
    capped = session.run(None, {'image': images, 'max_iterations': np.array([1, 2])})
    assert capped[1].max(axis=0).tolist() == [1, 2]


@pytest.mark.usefixtures('exported')
def test_openvino_compares(trained, tmp_path, capsys):
    pytest.importorskip('openvino')
    images = ['--images', str(trained / 'images')]
    assert export(trained, tmp_path / 'm.onnx', '--runtime', 'openvino', *images, *QUICK) == 0
    printed = capsys.readouterr().out
    assert 'same iterations for 100.0%' in printed
    assert 'latency      openvino, CPU, 1 thread' in printed


def test_fixed_says_that_nothing_adapts(trained, tmp_path, capsys):
    assert export(trained, tmp_path / 'fixed.onnx', '--fixed', '2', *QUICK) == 0
    printed = capsys.readouterr().out
    assert 'nothing adapts any more' in printed
    assert 'lowest' not in printed
    assert 'Loop' not in {node.op_type for node in onnx.load(tmp_path / 'fixed.onnx').graph.node}


def test_fixed_keeps_the_configs_budget(trained, tmp_path, capsys):
    budget = ['model.backbone.budget.max_iterations=1', 'model.backbone.budget.halting_threshold=0.3']
    options = ['--fixed', '2', *QUICK, '--cfg-options', *budget]
    assert export(trained, tmp_path / 'fixed.onnx', *options) == 0
    assert 'fixed        (1, 1) iterations of the stages' in capsys.readouterr().out
    session = open_session(str(tmp_path / 'fixed.onnx'))
    description = json.loads(session.get_modelmeta().custom_metadata_map['iterbackbone'])
    assert description['max_iterations'] == [1, 1]
    assert description['halting_threshold'] == pytest.approx(0.3)


def test_says_why_a_detector_has_no_boxes(capsys):
    model = nn.ModuleDict({'backbone': tiny_net()}).eval()
    tool.report_outputs(ExportedModel(model, reason='roi_head: it predicts masks'))
    assert capsys.readouterr().out.splitlines() == [
        'exported     features: features_0, features_1, features_2, features_3, iterations, macs',
        'no boxes     roi_head: it predicts masks',
    ]


def test_a_file_that_does_something_else_is_not_written(
    trained, written, tmp_path, capsys, monkeypatch
):
    def wrong(*_):
        model = onnx.load(written[0])
        weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        weights.raw_data = bytes(len(weights.raw_data))
        return model

    monkeypatch.setattr(tool, 'onnx_model', wrong)
    (tmp_path / 'good.onnx').write_bytes(b'good')
    assert export(trained, tmp_path / 'good.onnx', *QUICK) == 1
    assert 'not written' in capsys.readouterr().err
    assert (tmp_path / 'good.onnx').read_bytes() == b'good'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--opset', '17'], 'argument --opset: must be between 18 and 23, got 17'),
        (['--fixed', '0'], 'argument --fixed: must be at least 1, got 0'),
        (['--rounds', '1'], 'must be at least 2, for a spread, got 1'),
        (['--images', 'nowhere'], 'argument --images: must be a folder, got nowhere'),
        (['--images', '{empty}'], 'has no image'),
        (['--cfg-options', 'model.head.num_classes=7'], 'does not fit the config'),
        (['--cfg-options', 'model.backbone.norm_cfg.type=LN2d'], 'does not fit the config'),
    ],
)
def test_refusals(trained, tmp_path, capsys, arguments, message):
    (tmp_path / 'empty').mkdir()
    arguments = [a.format(empty=tmp_path / 'empty') for a in arguments]
    with pytest.raises(SystemExit) as stopped:
        export(trained, tmp_path / 'model.onnx', *arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'model.onnx').exists()


@pytest.mark.parametrize('name', ['no.pth', 'half.pth', 'no/config.py'])
def test_files_that_cannot_be_read(trained, tmp_path, capsys, name):
    (tmp_path / 'half.pth').write_bytes((trained / 'trained.pth').read_bytes()[:1000])
    files = [trained / 'config.py', tmp_path / name]
    if name.endswith('.py'):
        files = [tmp_path / name, trained / 'trained.pth']
    with pytest.raises(SystemExit):
        tool.main([*map(str, files), '--out', str(tmp_path / 'model.onnx')])
    assert name in capsys.readouterr().err


def test_the_checkpoint_may_be_a_name(tmp_path, monkeypatch):
    state = pack(tmp_path)
    monkeypatch.setenv('ITERBACKBONE_WEIGHTS', str(tmp_path))
    config, out = str(tmp_path / 'work' / 'config.py'), str(tmp_path / 'model.onnx')
    args = tool.parse_args([config, 'iterbackbone://tiny_net.toy', '--out', out])[1]
    model, content = trained_model(read_config(args.config), args.checkpoint, 'cpu')
    assert content['meta']['dataset_meta']['classes'] == tuple(CLASSES)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_a_folder_that_does_not_exist(trained, tmp_path, capsys):
    with pytest.raises(SystemExit):
        export(trained, tmp_path / 'no' / 'folder' / 'model.onnx')
    assert 'argument --out: must be a file in a folder that can' in capsys.readouterr().err
