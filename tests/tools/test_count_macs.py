"""The command line: the same numbers in the table, in the JSON file and by hand."""

from __future__ import annotations

import json

import count_macs as tool
import pytest
from mmengine.config import Config, ConfigDict

from iterbackbone.__main__ import config_root
from iterbackbone.core.macs import mac_table
from iterbackbone.core.resnet_counterpart import ResNetCounterpart, resnet_macs
from tests.support.compute import (
    C4,
    C4_MODULES,
    built,
    evaluate,
    narrow_c4,
    segmentor_config,
    spread_on_noise,
)


@pytest.fixture(scope='module')
def configs(tmp_path_factory):
    """Files of a C4 detector, of a plain detector and of a segmentor."""
    folder = tmp_path_factory.mktemp('configs')
    c4 = Config.fromfile(config_root() / C4)
    narrow_c4(c4)
    c4.dump(folder / 'c4.py')
    plain = Config.fromfile(config_root() / C4)
    narrow_c4(plain)
    pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    options = dict(type='ResNet', depth=50, base_channels=8, num_stages=3, out_indices=(2,))
    stages = dict(strides=(1, 2, 2), dilations=(1, 1, 1), init_cfg=pretrained)
    plain.model.backbone = ConfigDict(**options, **stages)
    plain.model.roi_head.pop('shared_head')
    plain.model.roi_head.bbox_head.in_channels = 128
    plain.model.roi_head.bbox_roi_extractor.roi_layer.output_size = 7
    plain.dump(folder / 'plain.py')
    Config(segmentor_config()).dump(folder / 'segmentor.py')
    return folder


@pytest.fixture(scope='module')
def c4(configs):
    return built(Config.fromfile(configs / 'c4.py'))


@pytest.fixture(scope='module')
def log(c4, tmp_path_factory):
    """Folder of an evaluation of the C4 detector and MACs of its images."""
    spread_on_noise(c4, C4_MODULES, (64, 96))
    folder = tmp_path_factory.mktemp('logs') / 'test_epoch_1'
    return folder, evaluate(c4, [(64, 96), (96, 64), (64, 96)], folder)


def run(capsys, *arguments):
    tool.main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def cells(text, start):
    """The cells of the first line that starts so."""
    (line, *_) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return line.strip().removeprefix(start).split()


def test_the_table_of_one_model(configs, c4, capsys, tmp_path):
    out = run(
        capsys, configs / 'c4.py', '--input', 60, 90, '--num-proposals', 7, '--json', tmp_path / 'a'
    )
    content = json.loads((tmp_path / 'a').read_text())
    assert [path.name for path in tmp_path.iterdir()] == ['a']
    body, layer = mac_table(c4.backbone, (64, 96)), mac_table(c4.roi_head.shared_head, (14, 14))
    head = 7 * 256 * (6 + 1 + 6 * 4)
    assert content['macs']['lowest']['backbone'] == body.lowest
    assert content['macs']['highest']['backbone'] == body.highest
    assert content['macs']['lowest']['roi_head'] == 7 * layer.lowest + head
    assert content['macs']['highest']['roi_head'] == 7 * layer.highest + head
    assert 'one image of 60 x 90 pixels, padded to 64 x 96, at 7 proposals' in out
    _, macs = out.split('MACs, M')
    assert macs.split('\n')[0].split() == ['lowest', 'highest']
    bounds = [content['macs'][bound] for bound in ('lowest', 'highest')]
    for child in ('total', 'backbone', 'rpn_head', 'roi_head'):
        assert cells(macs, child) == [f'{bound[child] / 1e6:,.2f}' for bound in bounds]
    parameters = sum(p.numel() for p in c4.parameters())
    assert cells(out, 'total') == [f'{parameters / 1e6:.2f}']
    plain = ResNetCounterpart.of(c4.backbone, c4.roi_head.shared_head)
    plain_macs = resnet_macs(c4.backbone, (64, 96)) + 7 * resnet_macs(c4.roi_head.shared_head, (14, 14))
    assert content['resnet'] == {'name': plain.name, 'parameters': plain.parameters, 'macs': plain_macs}
    assert 'ResNet (3, 4, 6, 5), width 8 in place of the iterative modules' in out
    assert 'backbone, each input of 64 x 96\n' in out
    assert 'roi_head.shared_head, each input of 14 x 14 (7 of them)' in out
    assert (body.per_iteration[2], body.per_score[2]) == (
        24 * (2 * 128 * 32 + 9 * 32**2),
        2 * 128 * 8 + 8,
    )
    assert cells(out, 'stage 2') == ['6', '0.42', '0.0021', '67', 'to', '291', 'pixels']
    assert out.endswith('Operators not counted: none\n')
    assert content['uncounted'] == {}


def test_beside_a_baseline(configs, capsys, tmp_path):
    out = run(
        capsys, configs / 'c4.py', '--input', 64, 96, '--baseline', configs / 'plain.py',
        '--json', tmp_path / 'a', '--cfg-options', 'model.backbone.budget.max_iterations=2',
    )  # fmt: skip
    content = json.loads((tmp_path / 'a').read_text())
    ours, theirs = content['macs'], content['baseline']['macs']
    assert content['num_proposals'] == content['baseline']['num_proposals'] == 20
    assert theirs['lowest'] == theirs['highest']
    shares = content['shares_of_baseline']
    assert shares['macs']['highest']['total'] == ours['highest']['total'] / theirs['highest']['total']
    assert shares['macs']['lowest']['rpn_head'] == 1
    header, total = (out.split('MACs, M')[1].splitlines()[i] for i in (0, 1))
    assert ' '.join(header.split()) == 'lowest highest baseline share lowest share highest'
    percent = [f'{shares["macs"][bound]["total"]:.1%}' for bound in ('lowest', 'highest')]
    assert total.split()[-2:] == percent
    assert cells(out, 'stage 2')[:3] == ['2', 'of', '6']  # the budget
    assert content['iterative'][0]['stages'][2]['limits'] == [2]
    assert 'Operators not counted in the baseline' in out


def test_the_mean_of_a_log(configs, log, capsys, tmp_path):
    folder, macs = log
    out = run(
        capsys,
        configs / 'c4.py',
        '--log',
        folder,
        '--baseline',
        configs / 'plain.py',
        '--json',
        tmp_path / 'a',
    )
    content = json.loads((tmp_path / 'a').read_text())
    assert content['macs']['mean']['total'] == sum(macs) / 3
    assert f'mean over 3 images of 2 input sizes in {folder}, at its ' in out
    header, total, backbone = (out.split('MACs, M')[1].splitlines()[i] for i in (0, 1, 2))
    assert header.split()[:4] == ['lowest', 'mean', 'highest', 'baseline']
    assert total.split()[2] == f'{sum(macs) / 3e6:,.2f}'
    assert backbone.split()[2] == '-'  # the log has one number for backbone and RoI head
    rois = content['num_proposals']
    at_one = tool.image_summary(built(Config.fromfile(configs / 'plain.py')), (64, 96), 1)['macs'][
        'highest'
    ]
    assert content['baseline']['macs']['highest']['roi_head'] == pytest.approx(
        rois * at_one['roi_head']
    )


def test_a_segmentor_at_its_pipelines_size(configs, capsys, tmp_path):
    cfg = Config.fromfile(configs / 'segmentor.py')
    cfg.test_dataloader = dict(dataset=dict(pipeline=[dict(type='Resize', scale=(48, 32))]))
    cfg.dump(tmp_path / 'sized.py')
    out = run(capsys, tmp_path / 'sized.py')
    assert 'one image of 32 x 48 pixels\n' in out
    macs = out.split('MACs, M')[1]
    assert cells(macs, 'decode_head') == [f'{16 * 24 * (9 * 8 * 4 + 4 * 3) / 1e6:.2f}'] * 2
    again = run(capsys, tmp_path / 'sized.py', '--cfg-options', 'model.decode_head.channels=8')
    assert (
        cells(again.split('MACs, M')[1], 'decode_head')[0]
        == f'{16 * 24 * (9 * 8 * 8 + 8 * 3) / 1e6:.2f}'
    )


def test_a_plain_model_has_one_column_and_no_stages(configs, capsys):
    out = run(capsys, configs / 'plain.py', '--input', 64, 96)
    assert out.split('MACs, M')[1].split('\n')[0].split() == ['model']
    assert 'Iterative stages' not in out
    assert 'in place of' not in out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('{0}/none.py', 'config must be a file, got {0}/none.py'),
        (
            '{0}/segmentor.py',
            '--input H W is needed: the test pipeline of {0}/segmentor.py has no crop or Resize',
        ),
        ('{0}/segmentor.py --input 8 8 --num-proposals 9', '--num-proposals: {0}/segmentor.py has no'),
        ('{0}/c4.py --input 0 8', 'argument --input: must be at least 1, got 0'),
        ('{0}/c4.py --input 8', 'argument --input: expected 2 arguments'),
        ('{0}/c4.py --input 8 8 --log {1}', 'argument --log: not allowed with argument --input'),
        ('{0}/c4.py --log {0}', '{0} is no complete evaluation: it has no meta.json'),
        ('{0}/c4.py --log {1} --num-proposals 9', '--num-proposals: not with a log of RoIs'),
        ('{0}/plain.py --log {1}', 'log must be of an iterative model, the config has a FasterRCNN'),
        ('{0}/segmentor.py --log {1}', 'whose max_iterations is [2, 3]; that of {1} is [3, 4, 6]'),
        ('{0}/c4.py --input 64 96 --baseline {0}/x.py', 'config must be a file, got {0}/x.py'),
        ('{0}/c4.py --json {0}/none/a.json', 'argument --json: must be a file in a folder that can'),
    ],
)
def test_bad_arguments_are_named(configs, log, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        tool.main(arguments.format(configs, log[0]).split())
    assert stopped.value.code == 2
    assert message.format(configs, log[0]) in capsys.readouterr().err
