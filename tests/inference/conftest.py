"""The network that the tests of the inference form run."""

from __future__ import annotations

import pytest
import torch

from tests.support.networks import tiny_net, varied


@pytest.fixture
def net():
    return varied(tiny_net().eval(), torch.randn(8, 3, 32, 32))
