"""Two processes whose images need different numbers of iterations."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tests.support.gloo_ranks import RANKS, gathered, spawn
from tests.support.networks import MAX_ITERATIONS, blocks, images, loss_of, tiny_net, varied

pytestmark = pytest.mark.slow


class CountingSyncBatchNorm(nn.BatchNorm2d):
    """Stands in for SyncBatchNorm, which refuses CPU tensors: one collective call a forward."""

    calls = 0
    process_group = None

    def forward(self, x):
        if self.training:
            type(self).calls += 1
            dist.all_reduce(torch.zeros(1))
        return super().forward(x)


class Loss(nn.Module):
    """A scalar, so that DistributedDataParallel wraps features and ponder cost together."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return sum(f.mean() for f in self.net(x)) + 0.1 * self.net.ponder_cost().mean()


def set_halting(net, rank):
    """Rank 0 runs everything, rank 1 stops everywhere at the first iteration."""
    with torch.no_grad():
        for block in blocks(net):
            block.halting.fc2.weight.zero_()
            block.halting.fc2.bias.fill_(-8.0 if rank == 0 else 8.0)


def train(rank, execution, with_cp):
    net = tiny_net(execution=execution, with_cp=with_cp).train()
    wrapped = DistributedDataParallel(Loss(net), broadcast_buffers=False)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = images(4)[2 * rank : 2 * rank + 2]
    for _ in range(3):
        set_halting(net, rank)
        optimizer.zero_grad()
        wrapped(x).backward()
        expected = list(MAX_ITERATIONS) if rank == 0 else [1] * 4
        assert net.iterations().tolist() == [expected] * 2
        for name, parameter in net.named_parameters():
            first, second = gathered(parameter.grad)
            assert torch.equal(first, second), name
            assert first.isfinite().all(), name
        # rank 1 never gets to the last iteration of stage 2, rank 0 alone decides its gradient
        assert net.stages[2].blocks[0].norm1[4].weight.grad.abs().sum() > 0
        optimizer.step()


def synchronise(rank, training):
    net = tiny_net(norm_layer=CountingSyncBatchNorm, execution='active')
    set_halting(net, rank)
    CountingSyncBatchNorm.calls = 0
    with torch.no_grad():
        net.train(training)(images(2))
    calls = [int(count) for count in gathered(torch.tensor(CountingSyncBatchNorm.calls))]
    if training:  # stem, four transitions, three norms an iteration
        assert calls == [1 + 4 + 3 * sum(MAX_ITERATIONS)] * RANKS
        executed = net.trace.executed.tolist()
        assert executed == [list(MAX_ITERATIONS)] * 2  # rows stay in the batch
    else:
        assert calls == [0, 0]
    assert net.iterations().tolist() == [list(MAX_ITERATIONS) if rank == 0 else [1] * 4] * 2


@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('execution', ['active', 'masked'])
def test_ranks_reduce_the_same_parameters(tmp_path, execution, with_cp):
    spawn(train, tmp_path, execution, with_cp)


@pytest.mark.parametrize('training', [True, False])
def test_synchronised_norms_make_the_same_calls_on_all_ranks(tmp_path, training):
    spawn(synchronise, tmp_path, training)


def count_calls(rank, with_cp):
    """Of five steps, forward and backward, whose images halt where their scores let them."""
    net = tiny_net(norm_layer=CountingSyncBatchNorm, execution='active', with_cp=with_cp)
    x = images(2 * RANKS)
    varied(net, x)
    CountingSyncBatchNorm.calls = 0
    seen = []
    for _ in range(5):
        net.train()
        torch.manual_seed(17 * len(seen) + rank)
        features = net(images(2))
        loss_of(net, features).backward()
        seen.append([CountingSyncBatchNorm.calls, int(net.iterations().sum())])
    first, second = gathered(torch.tensor(seen))
    assert torch.equal(first[:, 0], second[:, 0])
    assert (first[:, 1] != second[:, 1]).any()  # the ranks' images did differ


@pytest.mark.parametrize('with_cp', [False, True])
def test_synchronised_norms_make_the_same_calls_whatever_the_data(tmp_path, with_cp):
    spawn(count_calls, tmp_path, with_cp)
