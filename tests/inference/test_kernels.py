"""Kernels are laid out once that pays, for one shape, and norms go with the convolutions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iterbackbone.inference.folding import Affine, FoldedNorms, affine_of
from iterbackbone.inference.kernels import PAYS_AT, Kernel, conv_norm_relu, fused, linear_norm

CONVS = {
    '1x1': dict(kernel_size=1),
    '3x3': dict(kernel_size=3, padding=1),
    'dilated': dict(kernel_size=3, padding=2, dilation=2),
    'strided': dict(kernel_size=3, padding=1, stride=2),
    'depthwise': dict(kernel_size=3, padding=1, groups=16),
}
AFFINE = Affine(torch.linspace(-2, 2, 16), torch.linspace(1, -3, 16))


def features(rows, size, dtype=torch.float32):
    return torch.randn(rows, 16, *size, dtype=dtype).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize('size', [(9, 7), (1, 1)], ids=['features', 'one pixel'])
@pytest.mark.parametrize('options', CONVS.values(), ids=CONVS)
def test_convolution_norm_and_relu_agree_with_three_steps(options, size, dtype):
    conv = nn.Conv2d(16, 16, bias=False, **options).to(dtype, memory_format=torch.channels_last)
    kernel, x = Kernel(conv), features(2, size, dtype)
    scale, shift = (part.to(dtype).view(-1, 1, 1) for part in AFFINE)
    expected = F.relu(conv(x) * scale + shift)
    tolerance = {'atol': 0.05, 'rtol': 0.02} if dtype == torch.bfloat16 else {'atol': 1e-5, 'rtol': 0}
    with torch.inference_mode():
        for _ in range(PAYS_AT + 1):
            found = conv_norm_relu(x, kernel(x), AFFINE.scaled_sum(), conv)
            torch.testing.assert_close(found, expected, **tolerance)


def test_a_kernel_is_laid_out_when_one_shape_comes_often_enough():
    conv = nn.Conv2d(16, 16, 3, padding=1, bias=False)
    kernel, x, other = Kernel(conv), features(2, (9, 7)), features(1, (9, 7))
    assert fused(x)
    with torch.inference_mode():
        laid_out = [kernel(each).is_mkldnn for each in [x] * 5 + [other] * 4 + [x]]
    assert laid_out == [False] * 3 + [True] * 2 + [False] * 3 + [True] + [False]
    assert not conv.weight.is_mkldnn


def test_products_agree_with_two_steps():
    x, weight = torch.randn(5, 8), torch.randn(16, 8)
    expected = x @ weight.T * AFFINE.scale + AFFINE.shift
    torch.testing.assert_close(linear_norm(x, weight, AFFINE.scaled_sum()), expected)


def test_scale_and_shift_by_hand():
    """gamma (x - mean) / sqrt(var + eps) + beta: 3 (x - 2) / 4 + 1 = 0.75 x - 0.5."""
    norm = nn.BatchNorm2d(2, eps=0.5).eval()
    with torch.no_grad():
        norm.running_mean.fill_(2.0)
        norm.running_var.fill_(15.5)
        norm.weight.copy_(torch.tensor([3.0, 0.0]))
        norm.bias.fill_(1.0)
    affine = affine_of(norm)
    torch.testing.assert_close(affine.scale, torch.tensor([0.75, 0.0]))
    torch.testing.assert_close(affine.shift, torch.tensor([-0.5, 1.0]))
    added_first = affine.scaled_sum()
    x = torch.tensor([4.0, 4.0])  # 0.75 * 4 - 0.5 = 2.5; a gamma of 0 leaves beta
    found = added_first.scale * (x + added_first.offset)
    torch.testing.assert_close(found, torch.tensor([2.5, 1.0]))


def test_norms_without_gamma_and_with_epsilons_of_their_own():
    """(x - 1) / sqrt(3 + eps): eps 1 and 6 give x / 2 - 1 / 2 and x / 3 - 1 / 3."""
    norms = [nn.BatchNorm2d(2, eps=eps, affine=False).eval() for eps in (1.0, 6.0)]
    for norm in norms:
        norm.running_mean.fill_(1.0)
        norm.running_var.fill_(3.0)
    for folded, scale in zip(FoldedNorms()(norms), (1 / 2, 1 / 3), strict=True):
        torch.testing.assert_close(folded.scale, torch.full((2,), scale))
        torch.testing.assert_close(folded.shift, torch.full((2,), -scale))
        torch.testing.assert_close(folded.offset, torch.full((2,), -1.0))
