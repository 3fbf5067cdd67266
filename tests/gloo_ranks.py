"""Two processes on this machine, their tensors exchanged by gloo."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from processes import METHOD

RANKS = 2


def spawn(function, tmp_path, *args):
    """Run ``function(rank, *args)`` in both ranks of a gloo group."""
    args = (function, f'file://{tmp_path}/group', *args)
    mp.start_processes(_start, args, nprocs=RANKS, start_method=METHOD)


def _start(rank, function, init_method, *args):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group('gloo', init_method=init_method, rank=rank, world_size=RANKS)
    function(rank, *args)
    dist.destroy_process_group()


def gathered(tensor):
    """The tensor of each rank."""
    parts = [torch.zeros_like(tensor) for _ in range(RANKS)]
    dist.all_gather(parts, tensor)
    return parts
