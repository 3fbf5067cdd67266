"""Operators torch's counter has no formula for: known to cost nothing, or unknown."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmcv.ops import ModulatedDeformConv2dPack, RoIAlign
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from iterbackbone.mm.counting.uncounted import is_without_macs, uncounted_calls


def watched(model, *inputs):
    counting = FlopCounterMode(display=False)
    with torch.no_grad(), uncounted_calls() as uncounted, counting as counter:
        model(*inputs)
    return uncounted, counter.get_total_flops() // 2


def test_a_plain_network_has_only_operators_without_multiply_adds():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 2),
    ).eval()
    uncounted, macs = watched(net, torch.rand(1, 3, 8, 8))
    assert macs == 36 * 3 * 4 * 9 + 36 * 2
    assert uncounted == {}


class Unknown(nn.Module):
    """A matrix times a vector, a dot product and attention, which are not counted on the CPU."""

    def forward(self, x):
        q = x.reshape(1, 1, 4, 4)
        return torch.mv(x, x[0]) + torch.dot(x[0], x[1]) + F.scaled_dot_product_attention(q, q, q).sum()


def test_unknown_operators_are_named_with_their_calls():
    uncounted, _ = watched(Unknown(), torch.rand(4, 4))
    assert uncounted == {
        'aten.mv': 1,
        'aten.dot': 1,
        'aten._scaled_dot_product_flash_attention_for_cpu': 1,
    }


def test_mmcvs_custom_operators_are_named_with_their_calls():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = ModulatedDeformConv2dPack(4, 4, 3, padding=1)
            self.align = RoIAlign(2)

        def forward(self, x):
            x = self.conv(self.conv(x))
            return self.align(x, torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]]))

    net = Net().eval()
    uncounted, _ = watched(net, torch.rand(1, 4, 8, 8))
    # RoIAlign interpolates.
    assert uncounted == {'ModulatedDeformConv2dPack': 2, 'aten.addmm_': 2}
    net(torch.rand(1, 4, 8, 8))
    assert uncounted['ModulatedDeformConv2dPack'] == 2  # nothing listens any more


def test_names_do_not_hide_products():
    aten = torch.ops.aten
    for packet in (
        aten._trilinear,
        aten.addmv,
        aten.dot,
        aten.addmm_,
        aten._native_multi_head_attention,
        aten.mkldnn_rnn_layer,
        aten._transformer_encoder_layer_fwd,
        aten._cdist_forward,
        aten.addr,
        aten._embedding_bag,
        aten.linear,
        aten.lstm,
    ):
        operator = getattr(packet, packet.overloads()[0])
        assert not is_without_macs(operator), packet
    for packet in (
        aten.native_layer_norm,
        aten._softmax,
        aten.upsample_bilinear2d,
        aten.view,
        aten.new_zeros,
        aten.sum,
    ):
        assert is_without_macs(getattr(packet, packet.overloads()[0])), packet
