"""A file of tools/export_onnx.py beside its int8 form: agreement, size and time.

Agreement is with the first file, on images that did not set its ranges. Time is of one image, as
it halts and at all iterations, in rounds in which every file runs once. Writes OUT.md and OUT.json.
"""

import argparse
import json
from pathlib import Path

from speed.tables import markdown, rows_of

from iterbackbone.export.onnx.model_file import load_image, read_model
from iterbackbone.export.onnx.parity import agreement
from iterbackbone.export.onnx.runtime import open_session, settings
from iterbackbone.files import image_files, whole_file
from iterbackbone.timing import forward_seconds, machine


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', type=Path, metavar='FILE', help='float32')
    parser.add_argument('others', type=Path, nargs='+', metavar='OTHER', help='made of it')
    parser.add_argument('--images', type=Path, required=True, metavar='FOLDER')
    parser.add_argument('--num-images', type=int, default=200)
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench/quantized'))
    return parser.parse_args()


def agreement_row(file, other, images):
    """As a table's row and as plain data."""
    same = agreement(str(file), str(other), images)
    size = other.stat().st_size
    content = {
        'file': other.name,
        'bytes': size,
        'bytes_float32': file.stat().st_size,
        'images': len(images),
        'iterations': float((same.apart == 0).all(axis=1).mean()),
        'same_per_block': (same.apart == 0).mean(axis=0).tolist(),
        'difference_per_block': same.apart.mean(axis=0).tolist(),
        'errors': same.mean(),
    }
    cells = [
        other.name,
        f'{size / 1e6:.2f} of {file.stat().st_size / 1e6:.2f}',
        f'{content["iterations"]:.1%}',
        '/'.join(f'{100 * x:.1f}' for x in content['same_per_block']),
        '/'.join(f'{x:.3f}' for x in content['difference_per_block']),
        ', '.join(f'{name} {error:.2g}' for name, error in content['errors'].items()),
    ]
    return f'| {" | ".join(cells)} |', content


def measure(args, limits, image, threads):
    """Rows of each of an image's settings; all files in the same rounds."""
    files = [args.file, *args.others]
    sessions = {file.name: open_session(str(file), threads) for file in files}
    rows = []
    for setting in settings(sessions[args.file.name], image, limits):
        runs = {
            name: lambda s=session: s.run(None, settings(s, image, limits)[setting])  # noqa: B023
            for name, session in sessions.items()
        }
        seconds = forward_seconds(runs, args.rounds, threads)
        rows += rows_of(f'{setting}, {threads} threads', seconds, args.file.name, {})
    return rows


def main():
    args = parse_args()
    _, description = read_model(args.file)
    paths = image_files(args.images, args.num_images)
    images = [load_image(path, description['steps']) for path in paths]
    found = [agreement_row(args.file, other, images) for other in args.others]
    head = 'file | MB | same iterations | per block, % | difference per block'
    lines = [
        f'| {head} | error |',
        '|---' * 6 + '|',
        *(line for line, _ in found),
    ]
    limits = description['max_iterations']
    rows = [row for threads in args.threads for row in measure(args, limits, images[0], threads)]
    text = '\n'.join([machine(), '', *lines, '', markdown(rows), ''])
    print(text)
    content = {
        'machine': machine(),
        'agreement': [each for _, each in found],
        'time': [{**vars(row), 'ratio': row.ratio._asdict()} for row in rows],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for suffix, written in {'.md': text, '.json': json.dumps(content, indent=1)}.items():
        with whole_file(args.out.with_suffix(suffix)) as file:
            file.write(written.encode())


if __name__ == '__main__':
    main()
