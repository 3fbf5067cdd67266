"""PonderCostHook after a run that was broken off, or could not begin."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from iterbackbone.mm import AnytimeHook, PonderCostHook
from tests.support.interruption import Interruption
from tests.support.tiny_training import TinyClassifier, train_tiny


def test_a_run_after_one_that_was_broken_off(tmp_path):
    """As in a notebook: the second run trains the halting as the first did."""
    model, hook, interruption = TinyClassifier(), PonderCostHook(weight=0.25), Interruption()
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / 'a', hook, model=model, more_hooks=[interruption])
    steps, _ = train_tiny(tmp_path / 'b', hook, model=model)
    assert all(step['outputs']['loss_ponder'] > 1 for step in steps)


def test_anytime_training_after_a_warm_up_that_was_broken_off(tmp_path):
    """Units that are still held would mix all states into what is evaluated."""
    model, options = TinyClassifier(), dict(more_hooks=[Interruption()])
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / 'a', PonderCostHook(halting_warmup=1.0), model=model, **options)
    train_tiny(tmp_path / 'b', AnytimeHook(), model=model)
    assert not any(unit.held for unit in model.backbone.halting_units())


@pytest.mark.parametrize('first', [PonderCostHook, AnytimeHook])
@pytest.mark.parametrize('second', [PonderCostHook, AnytimeHook])
def test_hooks_of_a_run_that_was_broken_off_are_detached(tmp_path, first, second):
    """Else the first run's cost would be added to the second one's loss, or its depths be drawn."""
    model = TinyClassifier()
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tmp_path / 'a', first(), model=model, more_hooks=[Interruption()])
    steps, _ = train_tiny(tmp_path / 'b', second(), model=model)
    assert all(('loss_ponder' in step['outputs']) == (second is PonderCostHook) for step in steps)
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


@pytest.mark.parametrize('part', ['exempt_halting_biases', 'BudgetController'])
def test_a_run_that_cannot_begin_leaves_nothing_attached(tmp_path, monkeypatch, part):
    """Calls would be kept for ever by listeners that nobody knows."""
    model = TinyClassifier()
    broken = Mock(side_effect=RuntimeError('broken'))
    monkeypatch.setattr(f'iterbackbone.mm.training.ponder_hook.{part}', broken)
    with pytest.raises(RuntimeError, match='broken'):
        train_tiny(tmp_path, PonderCostHook(target=0.5), model=model)
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
