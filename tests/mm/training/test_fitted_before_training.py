"""Networks whose halting was fitted, trained again: the fit ends, and a share of it cannot be met."""

from __future__ import annotations

import pytest

from iterbackbone.core.budget_table import BudgetTable, Setting
from iterbackbone.mm import AnytimeHook, PonderCostHook
from tests.support.tiny_training import TinyClassifier, train_tiny


def fitted(**backbone):
    model = TinyClassifier(**backbone)
    model.backbone.set_budget_table(BudgetTable.of([(0.5, Setting((0.0, 0.0), (3, 4)))]))
    return model


@pytest.mark.parametrize('hook', [AnytimeHook, PonderCostHook])
def test_a_share_is_refused_before_the_first_step(hook, tmp_path):
    """Else the first validation would end the training, an epoch later."""
    model = fitted(budget=dict(share=0.5))
    message = rf'{hook.__name__} .* backbone\.budget without share, got share=0\.5'
    with pytest.raises(ValueError, match=message):
        train_tiny(tmp_path, hook(), model=model)
    assert model.backbone.budget_table is not None


def test_a_frozen_teacher_keeps_its_share(tmp_path):
    """Else the first evaluation would miss the fit that the teacher's share belongs to."""
    model = TinyClassifier()
    model.teacher = fitted(budget=dict(share=0.5)).backbone.requires_grad_(False)
    train_tiny(tmp_path, AnytimeHook(), max_iters=1, model=model)
    assert model.teacher.budget_table is not None


def test_a_frozen_network_keeps_its_share(tmp_path):
    """Both hooks say that they have nothing to do there."""
    model = fitted(budget=dict(share=0.5))
    model.backbone.requires_grad_(False)
    train_tiny(tmp_path, None, max_iters=1, model=model)
    assert model.backbone.budget_table is not None


def test_anytime_training_says_that_the_fit_ends(tmp_path):
    """As any other training of these features does."""
    model = fitted()
    with pytest.warns(UserWarning, match='training ends the fit of the halting: fit it again'):
        train_tiny(tmp_path, AnytimeHook(), max_iters=1, model=model)
    assert model.backbone.budget_table is None
