"""A classifier, a detector and a segmentor, trained anytime, fitted, tested at a share."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from iterbackbone.__main__ import config_root
from iterbackbone.export.onnx.parity import compare
from iterbackbone.export.onnx.runtime import open_session
from iterbackbone.mm.checkpoints import misfit
from iterbackbone.mm.configs import build_model, read_config
from iterbackbone.mm.export.exported import exported, noise, onnx_model
from iterbackbone.mm.fitting.command import fit_checkpoint
from iterbackbone.mm.fitting.images import FitOptions, ImageSpec
from tests.support.anytime_runs import CONFIGS, train_anytime
from tests.support.classification_runs import TINY
from tests.support.openmmlab import read_log


@pytest.fixture(scope='module', params=CONFIGS)
def trained(request, shapes_root, tmp_path_factory):
    """Task, config file, checkpoint and folder of two steps of anytime training."""
    tmp = tmp_path_factory.mktemp(request.param)
    return request.param, *train_anytime(request.param, shapes_root, tmp), tmp


def fit(task, config, checkpoint, out, cache):
    options = FitOptions(ImageSpec.parse('train'), ImageSpec.parse('val'), trained_on_these=True)
    with pytest.MonkeyPatch.context() as patch:
        if task == 'c4':  # all blocks halt by a unit, the RoI layer's too, however little it predicts
            patch.setattr('iterbackbone.fitting.index.Z', -1e9)
        return fit_checkpoint(config, checkpoint, out, cache, options)


@pytest.fixture(scope='module')
def fitted(trained):
    task, config, checkpoint, tmp = trained
    out = tmp / 'fitted.pth'
    report = fit(task, config, checkpoint, out, tmp / 'cache')
    return task, config, out, report, tmp


def test_features_stay_and_the_table_is_there(trained, fitted):
    before = torch.load(trained[2], weights_only=False)['state_dict']
    after = torch.load(fitted[2], weights_only=True)
    tables = [key for key in after['state_dict'] if key.endswith('budget_table')]
    own = ['backbone.budget_table']
    assert tables == (own + ['roi_head.shared_head.budget_table'] if trained[0] == 'c4' else own)
    changed = [k for k, x in before.items() if not torch.equal(x, after['state_dict'][k])]
    assert all('.halting.' in key for key in changed)
    assert after['meta']['halting']['images']['trained_on_these'] is True


@pytest.mark.parametrize('trained', ['c4'], indirect=True)
def test_regions_halt_one_by_one(fitted):
    assert fitted[3].blocks[-1]['unit'] in ('linear', 'two layers')


def test_the_evaluation_meets_the_shares_that_the_report_names(fitted):
    """The calibration images are the ones that are evaluated, so the shares agree to rounding."""
    task, config, out, report, tmp = fitted
    cfg = Config.fromfile(config)
    point = report.budgets[len(report.budgets) // 2]
    cfg.load_from, cfg.work_dir = str(out), str(tmp / 'test')
    cfg.model.backbone.budget = dict(share=point['met'])
    if task == 'c4':
        cfg.model.roi_head.shared_head.budget = dict(share=point['met'])
    cfg.experiment_name = f'fit_{task}_test'
    Runner.from_cfg(cfg).test()
    (folder,) = Path(cfg.work_dir).glob('*/iterations/test_*')
    records = read_log(folder)[0]
    share = sum(r['macs'] for r in records) / sum(r['macs_full'] for r in records)
    assert share == pytest.approx(point['met'], abs=0.002)
    assert read_log(folder)[2]['budget']['share'] == pytest.approx(point['met'])


def test_the_report_is_plain_data(fitted):
    report = fitted[3]
    plain = json.loads(json.dumps(report._asdict()))
    assert plain['menu'][0]['depths'] == [1] * len(plain['menu'][0]['depths'])
    assert plain['menu'][-1]['share'] == 1.0
    assert plain['score'] == ('-loss' if fitted[0] in ('c4', 'detection') else 'score')
    assert [b['asked'] for b in plain['budgets']] == sorted(b['asked'] for b in plain['budgets'])
    assert 'static budget' in report.text()


def test_an_interrupted_fit_goes_on(trained, fitted, monkeypatch):
    """With all results on disk only the calibration, whose prices are found on the way, runs again."""
    from iterbackbone.mm.fitting.runs import ModelRuns

    calls = []
    run = ModelRuns._outcomes
    monkeypatch.setattr(
        ModelRuns, '_outcomes', lambda self, *a: calls.append(self._identity) or run(self, *a)
    )
    task, config, checkpoint, tmp = trained
    again = fit(task, config, checkpoint, tmp / 'again.pth', tmp / 'cache')
    assert again._asdict() == fitted[3]._asdict()
    assert not [identity for identity in calls if 'train[' in identity.rsplit(' ', 1)[-1]]


@pytest.mark.parametrize('trained', ['classification', 'detection'], indirect=True)
@pytest.mark.parametrize(
    ('fit', 'calibrate', 'message'),
    [
        ('val[:3]', 'val[2:]', 'must not share images'),
        ('val', 'test', 'must not share images, .* in common'),  # the same files
        ('train[1:]', 'val', 'features were not trained on: .* of them are in train_dataloader'),
        ('val[50:]', 'val[:2]', r'val\[50::1\] has no image: the data set has'),
    ],
)
def test_bad_images(trained, fit, calibrate, message):
    options = FitOptions(ImageSpec.parse(fit), ImageSpec.parse(calibrate))
    with pytest.raises(ValueError, match=message):
        fit_checkpoint(trained[1], trained[2], trained[3] / 'no.pth', None, options)


@pytest.mark.parametrize('trained', ['classification'], indirect=True)
def test_a_loss_that_is_no_number_names_its_image(trained, monkeypatch):
    nan = {'loss': torch.tensor(torch.nan)}
    monkeypatch.setattr('mmpretrain.models.ClsHead.loss', lambda *_: nan)
    options = FitOptions(ImageSpec.parse('val[::2]'), ImageSpec.parse('val[1::2]'))
    with pytest.raises(ValueError, match=r'images must have finite losses, got nan of .*\.png'):
        fit_checkpoint(trained[1], trained[2], trained[3] / 'no.pth', None, options)


def test_the_checkpoint_may_be_a_name():
    options = FitOptions(ImageSpec.parse('val[:1]'), ImageSpec.parse('val[1:]'))
    with pytest.raises(ValueError, match=r"weights must be one of .* got 'tiny'"):
        fit_checkpoint(config_root() / TINY, 'iterbackbone://tiny', Path('no.pth'), None, options)


@pytest.mark.parametrize('text', ['', 'all', 'val[1]', 'val[::0]', 'val[a:]', 'val[-3:]'])
def test_bad_specs(text):
    with pytest.raises(ValueError, match='images must be such as'):
        ImageSpec.parse(text)


# Of detectors and of the segmentor the exported backbone is no other.
@pytest.mark.parametrize('trained', ['classification'], indirect=True)
def test_the_exported_file_keeps_the_share(fitted):
    _, config, out, report, _ = fitted
    share = report.budgets[len(report.budgets) // 2]['met']
    cfg = read_config(config, {'model.backbone.budget.share': share})
    content = torch.load(out, weights_only=True)
    model = build_model(cfg)
    assert misfit(model, content['state_dict'], re.compile('(?!)')) == ''  # the export tool asks
    model.load_state_dict(content['state_dict'])
    module = exported(model).eval()
    file = onnx_model(module, cfg, content['meta'].get('dataset_meta') or {}, opset=20)

    def reference(image):
        outputs, margin = module.reference(torch.from_numpy(image))
        return {name: value.numpy() for name, value in outputs.items()}, margin

    feeds = [{'image': image} for image in noise((64, 64), 3)]
    parity = compare(open_session(file.SerializeToString()), reference, feeds)
    assert parity.agrees
    assert parity.same_iterations == 1.0
    depths = [reference(feed['image'])[0]['iterations'] for feed in feeds]
    assert all(d.sum() < sum(model.backbone.max_iterations) for d in depths)
