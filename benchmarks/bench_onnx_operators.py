"""Where ONNX Runtime spends the time of IterativeResNet-152's file at all iterations, by operator.

Beside ResNet-152's file, one after the other, by ONNX Runtime's own profile. Its clock costs a little
for each operator, so take shares from here and times from bench_onnx.py.
"""

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime as ort
from bench_onnx import files
from speed.arguments import add_sizes

from iterbackbone.files import whole_file
from iterbackbone.timing import machine

NORMS = 'depthwise convolutions: norms'
KERNELS = 'convolutions'
ALL = np.array([3, 8, 36, 3])


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    add_sizes(parser, '--input', '224x224', '600x800')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/onnx-operators.json'))
    return parser.parse_args()


def profiled(model, feed, args):
    """Events of the operators in ``args.rounds`` runs, after one that warms up."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = args.threads, 3
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f'{folder}/profile'
        session = ort.InferenceSession(model, options, providers=['CPUExecutionProvider'])
        for _ in range(1 + args.rounds):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    operators = [e for e in events if e['cat'] == 'Node' and e['name'].endswith('_kernel_time')]
    return operators[len(operators) // (1 + args.rounds) :]  # every run has the same operators


def kind(event):
    """Of an operator: convolutions by what they are for."""
    name = event['args']['op_name']
    if 'Conv' not in name:
        return name
    (kernel,) = event['args']['input_type_shape'][1].values()
    return NORMS if kernel[1:] == [1, 1, 1] else KERNELS


def milliseconds(events, rounds):
    """Of each kind in one run, longest first; a loop's time is that of what is in it."""
    found = Counter()
    for event in events:
        if event['args']['op_name'] != 'Loop':
            found[kind(event)] += event['dur'] / 1000 / rounds
    return dict(found.most_common())


def main():
    args = parse_args()
    print(machine(), f'onnxruntime {ort.__version__}, {args.threads} threads')
    models, found = files([]), []
    for size in args.input:
        image = {'x': np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)}
        for name, more in {'ours': {'max_iterations': ALL}, 'ResNet-152': {}}.items():
            spent = milliseconds(profiled(models[name], image | more, args), args.rounds)
            found.append({'input': size, 'network': name, 'milliseconds': spent})
            total = sum(spent.values())
            print(f'\n{name}, {size[0]}x{size[1]}: {total:.0f} ms', flush=True)
            for what, time in spent.items():
                if time > 0.005 * total:
                    print(f'  {what:<32} {time:8.1f} ms  {time / total:6.1%}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.out) as file:
        content = {'machine': machine(), 'threads': args.threads, 'profiles': found}
        file.write(json.dumps(content, indent=1).encode())


if __name__ == '__main__':
    main()
