"""Table of run.py's results: accuracy, mean and range over the seeds.

python experiments/block_start/summarise.py RESULTS
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('results', type=Path)
    arms = defaultdict(list)
    for file in sorted(parser.parse_args().results.glob('*_seed*.json')):
        arms[file.name.split('_seed')[0]].append(json.loads(file.read_text()))
    print('| network | seeds | accuracy in percent (range), at the share of the MACs |\n|---|---|---|')
    for name, runs in arms.items():
        cells = [cell(rows) for rows in zip(*(run['budgets'] for run in runs), strict=True)]
        print(f'| {name} | {len(runs)} | {"; ".join(cells)} |')


def cell(rows):
    accuracies = [100 * row['correct'] / row['images'] for row in rows]
    text = f'{sum(accuracies) / len(rows):.1f}'
    if len(rows) > 1:
        text += f' ({min(accuracies):.1f}-{max(accuracies):.1f})'
    return f'{text} at {rows[0]["macs"] / rows[0]["macs_full"]:.2f}' if 'macs' in rows[0] else text


if __name__ == '__main__':
    main()
