"""mmpretrain's own configs with our backbone: each trains and predicts."""

from __future__ import annotations

import pytest

from tests.support.drop_in_runs import check_family, families
from tests.support.tiny_training import LabelledImages


@pytest.mark.parametrize('joint', [False, True], ids=['every depth', 'joint'])
@pytest.mark.parametrize('family', families('mmpretrain'), ids=lambda family: family.name)
def test_one_train_iter_and_a_test(family, joint, tmp_path):
    check_family(family, list(LabelledImages(2)), tmp_path, {}, joint)
