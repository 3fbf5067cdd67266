"""Models with several iterative backbones: a teacher and its student, two branches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner, ValLoop

from iterbackbone import IterativeResNet
from iterbackbone.core.macs import mac_table
from iterbackbone.core.resnet_counterpart import ResNetCounterpart
from iterbackbone.mm.counting.logged_compute import read_evaluation_compute
from iterbackbone.mm.evaluation.logged_evaluation import labels, own_metrics
from iterbackbone.mm.evaluation.summary import summarise_log
from iterbackbone.report.evaluation import load_evaluation
from tests.support.classifier_runs import classifier_run
from tests.support.networks import stop_at_once
from tests.support.openmmlab import detector_config, read_log
from tests.support.tiny_training import LabelledImages, labelled_loader


@pytest.fixture(scope='module')
def soft_teacher(shapes_root, tmp_path_factory):
    """mmdet's, validated by its own loop; the student stops at once, the teacher never."""
    cfg = detector_config(shapes_root, tmp_path_factory.mktemp('semi'))
    preprocessor = dict(
        type='MultiBranchDataPreprocessor', data_preprocessor=cfg.model.data_preprocessor
    )
    cfg.model = dict(
        type='SoftTeacher',
        detector=cfg.model,
        data_preprocessor=preprocessor,
        semi_train_cfg=dict(freeze_teacher=True),
        semi_test_cfg=dict(predict_on='teacher'),
    )
    cfg.val_cfg = dict(type='TeacherStudentValLoop')
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.custom_hooks = [dict(type='iterbackbone.IterationLogHook')]
    cfg.default_hooks.pop('ponder', None)
    cfg.visualizer['name'] = cfg.experiment_name = 'soft teacher'
    runner = Runner.from_cfg(cfg)
    stop_at_once(runner.model.student.backbone)
    runner.val()
    return runner


def test_teacher_and_student_have_a_folder_each(soft_teacher, shapes_root):
    ids = (shapes_root / 'VOCdevkit/VOC2007/ImageSets/Main/val.txt').read_text().split()
    logs = Path(soft_teacher.log_dir, 'iterations')
    names = ['val_epoch_0_student', 'val_epoch_0_teacher']
    assert sorted(path.name for path in logs.iterdir()) == names
    for name, iterations in zip(names, ([1, 1, 1, 1], [3, 4, 6, 3]), strict=True):
        records, predictions, meta = read_log(logs / name)
        assert [record['img_id'] for record in records] == ids
        assert [line['img_id'] for line in predictions] == ids
        assert {tuple(record['iterations']) for record in records} == {tuple(iterations)}
        assert 'modules' not in records[0]
        who = name.split('_')[-1]
        assert list(meta['modules']) == [f'{who}.backbone']
        assert meta['mac_table'] == meta['modules'][f'{who}.backbone']['mac_table']
        assert meta['mac_table']['highest'] == records[0]['macs_full']
        assert meta['max_iterations'] == [3, 4, 6, 3]
        assert meta['resnet']['name'] == 'ResNet (3, 4, 6, 3), width 16'
        assert 'pascal_voc/mAP' in meta['score']
        assert not any('student' in key or 'teacher' in key for key in meta['score'])
        assert load_evaluation(logs / name).problems == []
        compute = read_evaluation_compute(logs / name, soft_teacher.model)
        assert compute.macs == sum(record['macs'] for record in records)


class TwicePerEvaluation(ValLoop):
    """Passes over the data twice, as for dropout at test time."""

    def run(self):
        self.runner.call_hook('before_val_epoch')
        self.runner.model.eval()
        for _ in range(2):
            for idx, batch in enumerate(self.dataloader):
                self.run_iter(idx, batch)
        self.runner.call_hook('after_val_epoch', metrics=self.evaluator.evaluate(5))


def test_passes_of_one_model_are_numbered(tmp_path):
    runner = classifier_run(tmp_path)
    runner._val_loop = TwicePerEvaluation(
        runner, runner._val_dataloader, dict(type='mmpretrain.Accuracy', topk=1)
    )
    runner.val()
    logs = sorted(Path(runner.log_dir, 'iterations').iterdir())
    assert [path.name for path in logs] == ['val_epoch_0', 'val_epoch_0_2']
    for path in logs:
        assert [record['img_id'] for record in read_log(path)[0]] == [0, 1, 2, 3, 4]
    assert read_log(logs[0])[0] == read_log(logs[1])[0]


class TwoBranches(BaseModel):
    """A small and a large backbone on the same image."""

    def __init__(self):
        super().__init__()
        options = dict(stem='cifar', base_channels=4, expansion=1)
        self.small = IterativeResNet(num_stages=2, max_iterations=(2, 2), **options)
        self.large = IterativeResNet(num_stages=3, max_iterations=(3, 1, 4), **options)
        stop_at_once(self.small)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        images = torch.stack(inputs)
        self.large(images)
        self.small(images)
        return [sample.set_pred_score(torch.tensor([0.5, 0.5])) for sample in data_samples]


def test_two_backbones_have_an_entry_each(tmp_path):
    runner = Runner(
        model=TwoBranches(),
        work_dir=str(tmp_path),
        val_dataloader=labelled_loader(LabelledImages(5), 2),
        val_cfg=dict(),
        val_evaluator=dict(type='mmpretrain.Accuracy'),
        custom_hooks=[dict(type='iterbackbone.IterationLogHook')],
        default_scope='mmpretrain',
        experiment_name=tmp_path.name,
        log_level='WARNING',
    )
    runner.val()
    folder = Path(runner.log_dir, 'iterations/val_epoch_0')
    records, _, meta = read_log(folder)
    small, large = runner.model.small, runner.model.large
    tables = [mac_table(small, (8, 8)), mac_table(large, (8, 8))]
    for record in records:
        assert record['iterations'] == [1, 1, 3, 1, 4]
        assert record['modules']['small']['iterations'] == [1, 1]
        assert record['modules']['large']['iterations'] == [3, 1, 4]
        assert record['modules']['small']['macs'] == tables[0].total([1, 1])
        assert record['macs'] == tables[0].total([1, 1]) + tables[1].highest
        assert record['macs_full'] == tables[0].highest + tables[1].highest
        assert record['num_calls'] == 1
    assert meta['schema_version'] == 2
    assert meta['max_iterations'] == [2, 2, 3, 1, 4]
    assert meta['blocks_per_stage'] == [1] * 5
    assert [m['max_iterations'] for m in meta['modules'].values()] == [[2, 2], [3, 1, 4]]
    highest = [m['mac_table']['highest'] for m in meta['modules'].values()]
    assert highest == [table.highest for table in tables]
    plain = [ResNetCounterpart.of(small), ResNetCounterpart.of(large)]
    assert meta['resnet'] == {
        'name': f'{plain[0].name} + {plain[1].name}',
        'parameters': plain[0].parameters + plain[1].parameters,
    }
    evaluation = load_evaluation(folder)
    assert evaluation.problems == []
    assert evaluation.stage_limits == [2, 2, 3, 1, 4]
    assert summarise_log(folder).line.startswith('iterations 1.0/1.0/3.0/1.0/4.0 of 2/2/3/1/4')


HEAD = 'teacher.roi_head.shared_head'


@pytest.mark.parametrize(
    ('called', 'expected'),
    [
        ([['teacher.backbone'], ['student.backbone']], ['teacher', 'student']),
        ([['teacher.backbone', HEAD], ['student.backbone']], ['teacher', 'student']),
        ([['backbone']], ['']),
        ([['backbone'], ['backbone']], ['', '']),  # numbered, then
        ([[], ['student.backbone']], ['', 'student']),  # a teacher without iterations
    ],
)
def test_labels(called, expected):
    names = {path: path for each in called for path in each}
    passes = [SimpleNamespace(sizes=dict.fromkeys(each, (8, 8))) for each in called]
    assert labels(passes, names) == expected


@pytest.mark.parametrize(
    ('label', 'expected'),
    [
        ('teacher', {'mAP': 0.5}),
        ('', {'teacher/mAP': 0.5, 'student/mAP': 0.4}),
        ('other', {'teacher/mAP': 0.5, 'student/mAP': 0.4}),
    ],
)
def test_own_metrics(label, expected):
    assert own_metrics({'teacher/mAP': 0.5, 'student/mAP': 0.4}, label) == expected
    assert own_metrics(None, label) == {}
