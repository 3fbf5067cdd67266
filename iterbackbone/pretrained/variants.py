"""Every backbone by name, beside the others: parameters, MACs, time on this machine."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .. import __version__
from ..core.macs import Size, mac_table
from ..core.resnet import IterativeResNet
from ..files import write_together
from ..timing import Run, checked_device, forward_seconds, machine
from .index import named_weights
from .models import create_model, list_models

ROUNDS = 5
ADVICE = {  # a network and why
    'CPU': ('iterative_resnet50_small', 'few MACs, which take less time than those of _dw'),
    'GPU': ('iterative_resnet50', 'wide convolutions fill it (by its kind: no GPU was timed)'),
    'edge': ('iterative_resnet50_w32', 'fewest parameters, least memory, has weights, int8 by export'),
}
Measured = dict[str, tuple[float, float, float]]  # ms at one iteration and at all, MB
Done = Callable[[int, int], object]  # called after each run: the number of runs so far, of all


class Variant(NamedTuple):
    """A backbone: MACs and milliseconds at one iteration and at all, its weights' first figure.

    Memory, in MB, is what loading it and running one image at all iterations adds to a process.
    """

    name: str
    parameters: int
    macs: tuple[int, int]
    ms: tuple[float, float]
    memory: float
    figure: tuple[str, str] | None


def variants(size: Size, device: str, again: bool, done: Done) -> tuple[list[Variant], str]:
    """All backbones, from fewest to most MACs at all iterations, and what their times were taken on.

    ``again`` measures even where times are kept in the user's cache folder. ValueError where torch
    cannot use the device, or the memory is too small for the image.
    """
    on_gpu = checked_device(device).startswith('cuda')
    used = torch.cuda.get_device_name(device) if on_gpu else device
    where = f'{machine()}, {torch.get_num_threads()} threads, {used}'
    with torch.device('meta'):
        networks: Any = {x: create_model(x, features_only=True, in_chans=3) for x in list_models()}
    tables = {name: mac_table(network, size) for name, network in networks.items()}
    setting = hashlib.sha256(repr((__version__, where, tables)).encode()).hexdigest()
    folder = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache', 'iterbackbone')
    file = folder / f'variants-{setting[:16]}.json'
    measured, note = None if again else _kept(file), 'measured before'
    if measured is None:
        try:
            measured, note = _measure(list(networks), size, device, done), 'measured now'
        except RuntimeError as error:  # of torch, or of a process that the system ended
            first = str(error).splitlines()[0]
            raise ValueError(f'an image of {size[0]}x{size[1]} pixels failed: {first}') from None
        try:
            write_together(folder, {file.name: json.dumps(measured).encode()})
        except OSError as error:
            note = f'{note}, not kept: {error}'
    found, known = [], named_weights()
    for name, table in tables.items():
        figure = next(iter(known[name].figures.items()), None) if name in known else None
        lowest, highest, memory = measured[name]
        parameters = sum(p.numel() for p in networks[name].parameters())
        macs, ms = (table.lowest, table.highest), (lowest, highest)
        found.append(Variant(name, parameters, macs, ms, memory, figure))
    return sorted(found, key=lambda each: each.macs[1]), f'{where}; {note}'


def bound_runs(model: nn.Module, backbone: IterativeResNet, x: Tensor) -> dict[str, Run]:
    """Runs of a model on ``x``: ``lowest``, one iteration of each block, and ``highest``, all."""

    def run(most: int | None) -> None:
        backbone.set_budget(max_iterations=most)
        model(x)[-1].flatten()[0].item()  # waits for a GPU

    return {'lowest': lambda: run(1), 'highest': lambda: run(None)}


def recommendation(found: Sequence[Variant], target: float) -> str:
    """The backbone for ``target`` milliseconds an image, and why."""
    if fast := [each for each in found if each.ms[1] <= target]:
        best = max(fast, key=lambda each: each.macs[1])
        return f'{best.name}: the most MACs of those that run all iterations in {target:g} ms'
    if fast := [each for each in found if each.ms[0] <= target]:
        best = max(fast, key=lambda each: each.macs[0])
        return f'{best.name} under a budget: no backbone runs all iterations in {target:g} ms'
    best = min(found, key=lambda each: each.ms[0])
    return f'none: the fastest, {best.name}, takes {best.ms[0]:.3g} ms at one iteration'


def _measure(names: Collection[str], size: Size, device: str, done: Done) -> Measured:
    total, memory = len(names) * (1 + 2 * (ROUNDS + 1)), {}
    for name, megabytes in zip(names, _memories(names, size, device), strict=True):
        memory[name] = megabytes
        done(len(memory), total)
    x, numbers = torch.rand(1, 3, *size, device=device), count(1 + len(names))
    runs: dict[tuple[str, str], Run] = {}

    def step(run: Run) -> None:
        run()
        done(next(numbers), total)

    for name in names:
        network: Any = create_model(name, features_only=True, in_chans=3).eval().to(device)
        for key, run in bound_runs(network, network, x).items():
            runs[name, key] = partial(step, run)
    seconds = forward_seconds(runs, ROUNDS, torch.get_num_threads())
    ms = {key: 1000 * statistics.median(each) for key, each in seconds.items()}
    return {name: (ms[name, 'lowest'], ms[name, 'highest'], memory[name]) for name in names}


def _memories(names: Collection[str], size: Size, device: str) -> Iterator[float]:
    """Each in a process of its own, with no memory left over that a run could take."""
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, spawn, max_tasks_per_child=1) as pool:
        yield from pool.map(partial(_memory, size=size, device=device), names)


def _memory(name: str, size: Size, device: str) -> float:
    on_gpu = device.startswith('cuda')
    x = torch.rand(1, 3, *size, device=device)
    if not on_gpu:
        Path('/proc/self/clear_refs').write_text('5')  # its highest memory is now what it has
    before = torch.cuda.memory_allocated(device) if on_gpu else _of_process('VmRSS')
    network = create_model(name, features_only=True, in_chans=3).eval().to(device)
    with torch.inference_mode():
        network(x)
    after = torch.cuda.max_memory_allocated(device) if on_gpu else _of_process('VmHWM')
    return (after - before) / 1e6


def _of_process(field: str) -> int:
    """Bytes, of Linux."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f'{field}:'))


def _kept(file: Path) -> Measured | None:
    """What was measured before; None without, or of a file that cannot be read."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None
