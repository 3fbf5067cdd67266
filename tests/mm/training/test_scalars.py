"""The training scalars: running means, spread, and the warnings about stages that do not adapt."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from iterbackbone import HaltingTrace
from iterbackbone.mm import PonderCostHook
from iterbackbone.mm.traces import Call
from iterbackbone.mm.training import scalars as train_scalars
from tests.support.networks import tiny_layer, varied
from tests.support.tiny_training import TinyClassifier, TinyImages, train_tiny


def test_scalars(tmp_path):
    model = TinyClassifier()
    torch.nn.init.constant_(model.backbone.stages[0].blocks[0].halting.fc2.bias, 20.0)
    steps, _ = train_tiny(tmp_path, PonderCostHook(weight=0.0), max_iters=1, model=model, interval=1)
    scalars = steps[0]['scalars']
    assert scalars['train/iterations_stage0'] == 1
    assert scalars['train/one_iteration_stage0'] == 1
    assert scalars['train/iterations_stage1'] == 4
    assert scalars['train/one_iteration_stage1'] == 0
    assert scalars['train/iterations_std_stage1'] == 0
    assert scalars['train/ponder_cost'] == pytest.approx(2 + 4 + 1 - 3 / (1 + torch.e**3), abs=1e-5)
    ours = [k for k in scalars if 'iteration' in k or 'ponder' in k]
    assert [k for k in ours if 'loss' in k] == ['train/loss_ponder']


def test_scalars_are_means_over_the_logging_interval(tmp_path):
    model = TinyClassifier(norm_eval=True)
    seen = []
    model.backbone.register_forward_hook(lambda net, *_: seen.append(net.trace.iterations.clone()))
    varied(model.backbone.train(), TinyImages(8).images)
    seen.clear()
    steps, _ = train_tiny(tmp_path, PonderCostHook(), max_iters=4, model=model, lr=0.0)
    name = 'train/iterations_stage1'
    assert name not in steps[0]['scalars']
    assert steps[2]['scalars'][name] == steps[1]['scalars'][name]
    for first, step in ((0, 1), (2, 3)):
        rows = torch.cat(seen[first : first + 2])[:, 1].float()
        assert rows.unique().numel() > 1
        assert steps[step]['scalars'][name] == pytest.approx(rows.mean().item())
        spread = steps[step]['scalars']['train/iterations_std_stage1']
        assert spread == pytest.approx(rows.std(correction=0).item())
        share = steps[step]['scalars']['train/one_iteration_stage1']
        assert share == pytest.approx((rows == 1).float().mean().item())


def test_ponder_costs_of_modules_add_up():
    """However many rows each has, over the same training steps."""
    backbone, layer = TinyClassifier().backbone, tiny_layer()
    scalars = train_scalars.TrainScalars(torch.nn.ModuleList([backbone, layer]), interval=2)

    def call(module, costs):
        costs = torch.tensor(costs)
        ones = torch.ones_like(costs, dtype=torch.int64)
        return Call(module, HaltingTrace(ones, ones, costs, (3, 3), (8, 8), None), None)

    logged = {}
    hub = SimpleNamespace(update_scalar=logged.__setitem__)
    for step in (9.0, 1.0, 2.0):  # the first is out of the window by the end
        backbone_rows, layer_rows = [[step, 1.0]], [[4.0], [4.0], [step * 10]]
        scalars.observe([call(backbone, backbone_rows), call(layer, layer_rows)])
    scalars.publish(SimpleNamespace(message_hub=hub))
    assert logged['train/ponder_cost'] == pytest.approx(2.5 + (4 * 4 + 10 + 20) / 6)


def test_warning_when_a_stage_stops_differing():
    model, messages = TinyClassifier(), []
    backbone = model.backbone
    scalars = train_scalars.TrainScalars(model, interval=2)
    hub = SimpleNamespace(update_scalar=lambda *_: None)
    runner = SimpleNamespace(message_hub=hub, logger=SimpleNamespace(warning=messages.append))

    def observe(rows):
        rows = torch.tensor(rows)
        trace = HaltingTrace(rows, rows, rows.float(), (3, 3), (8, 8), None)
        scalars.observe([Call(backbone, trace, None)])
        scalars.publish(runner)

    for _ in range(3):  # never differed: nothing is "no longer"
        observe([[3, 1], [3, 1]])
    assert messages == []
    observe([[3, 1], [3, 2]])
    observe([[3, 2], [3, 2]])
    observe([[3, 2], [3, 2]])
    assert messages == ['stage1 no longer differs between images: all take 2 iterations a block']
    scalars.warn_at_end(runner)
    assert messages[1].endswith('the same iterations in: stage0 (3), stage1 (2)')
    rows = torch.tensor([[3, 1], [1, 2]])  # in a step behind the last publication
    for _ in range(2):
        trace = HaltingTrace(rows, rows, rows.float(), (3, 3), (8, 8), None)
        scalars.observe([Call(backbone, trace, None)])
    scalars.warn_at_end(runner)
    assert len(messages) == 2  # no longer flat: nothing is said
