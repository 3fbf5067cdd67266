"""Two processes on this machine, their tensors exchanged by gloo."""

from __future__ import annotations

from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.support.processes import METHOD

RANKS = 2
PATIENCE = timedelta(seconds=60)  # with a rank whose collective calls are others: an error, no hang


def spawn(function, tmp_path, *args):
    """Run ``function(rank, *args)`` in both ranks of a gloo group."""
    args = (function, f'file://{tmp_path}/group', *args)
    mp.start_processes(_start, args, nprocs=RANKS, start_method=METHOD)


def _start(rank, function, init_method, *args):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    place = dict(init_method=init_method, rank=rank, world_size=RANKS)
    dist.init_process_group('gloo', timeout=PATIENCE, **place)
    function(rank, *args)
    dist.destroy_process_group()


def gathered(tensor):
    """The tensor of each rank."""
    parts = [torch.zeros_like(tensor) for _ in range(RANKS)]
    dist.all_gather(parts, tensor)
    return parts
