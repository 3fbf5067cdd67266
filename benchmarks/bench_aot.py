"""IterativeResNet-152's export form as an AOTInductor package, beside PyTorch and ONNX Runtime.

At all iterations, with random weights, one image: compiling time, agreement with PyTorch, and times of
rounds in which each runs once. Needs a C++ compiler. Writes OUT.md and OUT.json.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from bench_onnx import exported
from speed.arguments import add_sizes
from speed.networks import image, iterative
from speed.tables import markdown, rows_of, save
from torch import nn
from torch._inductor import aoti_compile_and_package, aoti_load_package

from iterbackbone.export import ExportForm
from iterbackbone.export.onnx.runtime import open_session
from iterbackbone.timing import forward_seconds, machine


class Plain(nn.Module):
    """An export form that returns a plain tuple, which a package can keep."""

    def __init__(self, form):
        super().__init__()
        self.form = form

    def forward(self, x):
        features, iterations, _ = self.form(x)
        return (*features, iterations)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '224x224')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/aot'))
    return parser.parse_args()


def packaged(form, x):
    """The package of fixed size, loaded."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = aoti_compile_and_package(
            torch.export.export(Plain(form), (x,)), package_path=f'{folder}/model.pt2'
        )
        found = aoti_load_package(path)
    print(f'compiling took {time.perf_counter() - started:.0f} s', flush=True)
    return found


def report_agreement(package, network, x):
    *features, iterations = package(x)
    with torch.inference_mode():
        wanted = network(x)
    errors = [float((f - w).abs().max() / w.abs().max()) for f, w in zip(features, wanted, strict=True)]
    same = torch.equal(iterations, network.trace.iterations)
    print(f'largest relative difference {max(errors):.1e}; same iterations: {same}', flush=True)


def main():
    args = parse_args()
    print(machine())
    torch.set_num_threads(args.threads)
    network, rows = iterative(optimized=False, dtype=torch.float32), []
    form = ExportForm(network).eval()
    budget = torch.tensor(form.limits)
    session = open_session(exported(form, {'max_iterations': budget}), args.threads)
    for size in args.input:
        x = image(1, size, torch.float32)
        package = packaged(form, x)
        report_agreement(package, network, x)
        feed = {'x': x.numpy(), 'max_iterations': budget.numpy()}
        runs = {
            'PyTorch': lambda x=x: network(x),
            'export form in PyTorch': lambda x=x: form(x),
            'AOTInductor': lambda p=package, x=x: p(x),
            'ONNX Runtime': lambda f=feed: session.run(None, f),
        }
        seconds = forward_seconds(runs, args.rounds, args.threads)
        rows += rows_of(f'{size[0]}x{size[1]}, {args.threads} threads', seconds, 'PyTorch', {})
    save(rows, args.out)
    print(markdown(rows))


if __name__ == '__main__':
    main()
