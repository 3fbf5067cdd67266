"""Ridge regression chooses its penalty by what it has not seen."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from iterbackbone.fitting.ridge import _solved, correlation, fit_ridge


def folds(count):
    return torch.arange(count) % 5


def test_a_linear_relation_is_found():
    x = torch.randn(400, 6) * torch.tensor([1.0, 10.0, 0.1, 1.0, 1.0, 1.0]) + 5
    y = torch.stack([2 * x[:, 0] + 30 * x[:, 2], -x[:, 1]], dim=1) + 1
    ridge = fit_ridge(x, y, folds(400))
    assert ridge.correlation > 0.98
    new = torch.randn(100, 6) * torch.tensor([1.0, 10.0, 0.1, 1.0, 1.0, 1.0]) + 5
    wanted = torch.stack([2 * new[:, 0] + 30 * new[:, 2], -new[:, 1]], dim=1) + 1
    assert (correlation(ridge(new.double()), wanted.double()) > 0.98).all()


def test_noise_is_shrunk_to_its_mean():
    x, y = torch.randn(300, 40), torch.randn(300, 1) + 7
    ridge = fit_ridge(x, y, folds(300))
    assert abs(ridge.correlation) < 0.15
    predicted = ridge(torch.randn(1000, 40).double())
    assert predicted.mean().item() == pytest.approx(7, abs=0.2)
    assert predicted.std() < 0.5 * y.std()


def test_more_inputs_than_rows_gives_the_same_as_the_other_system():
    """The solution is unique: x (x' x + p)^-1 = (x x' + p)^-1 x."""
    x, y = torch.randn(30, 50).double(), torch.randn(30, 2).double()
    for penalty, wide in zip((10.0, 100.0), _solved(x, y, (10.0, 100.0)), strict=True):
        centred = (x - wide.mean) / wide.scale
        gram = centred.T @ centred + penalty * torch.eye(50, dtype=torch.double)
        wanted = torch.linalg.solve(gram, centred.T @ (y - y.mean(dim=0)))
        torch.testing.assert_close(wide.weights, wanted)


def test_all_penalties_share_a_gram_matrix():
    class Products(TorchDispatchMode):
        grams = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            self.grams += function is torch.ops.aten.mm.default and found.shape == (6, 6)
            return found

    x = torch.randn(100, 6)
    with Products() as products:
        fit_ridge(x, x[:, :2], folds(100))
    assert products.grams == 5 + 1  # folds, and all rows


def test_sources_share_a_fold():
    """Copies of one image in two folds would let noise be predicted."""
    base, noise = torch.randn(100, 60), torch.randn(100, 1)
    x, y = base.repeat(4, 1), noise.repeat(4, 1)
    source = torch.arange(100).repeat(4)
    assert fit_ridge(x, y, torch.arange(400) // 100).correlation > 0.5
    assert fit_ridge(x, y, source % 5).correlation < 0.3


def test_correlation_of_a_constant_is_zero():
    a = torch.stack([torch.arange(5.0), torch.ones(5)], dim=1)
    b = torch.stack([2 * torch.arange(5.0), torch.arange(5.0)], dim=1)
    torch.testing.assert_close(correlation(a, b), torch.tensor([1.0, 0.0]))
