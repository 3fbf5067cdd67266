"""Markdown tables of what measure.py wrote for each seed.

python experiments/fitted_gain/tables.py experiments/mosaics/results/seed?.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

FILES = 'JSON files of measure.py, one a seed, the same shares in each'


def table(head, rows):
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def sizes(values):
    return ' / '.join(f'{100 * value:.1f}' for value in values.values())


def static_table(reports):
    """Each static budget: share, score of each seed, scores by object size of the first."""
    head = ['iterations', 'share', *(f'right, % (seed {i})' for i in range(len(reports)))]
    by_size = reports[0]['menu'][0]['by_size']
    head += [f'by size: {" / ".join(by_size)}'] if by_size else []
    rows = []
    for same in zip(*(report['menu'] for report in reports), strict=True):
        first = same[0]
        scores = [f'{100 * row["score"]:.1f}' for row in same]
        depths = '/'.join(map(str, first['depths']))
        rows.append([depths, f'{first["share"]:.3f}', *scores])
        if by_size:
            rows[-1].append(sizes(first['by_size']))
    return table(head, rows)


def gain_table(reports, key, name, unit='points'):
    """G of each row of ``reports[i][key]``, with its interval, at the share met."""
    head = [name, *(f'G, {unit} (seed {i})' for i in range(len(reports)))]
    rows = []
    for same in zip(*(report[key] for report in reports), strict=True):
        asked = 'as trained' if same[0]['asked'] is None else f'{same[0]["asked"]:.2f}'
        if 'rule' in same[0]:
            asked = f'{same[0]["rule"].replace("_", " ")}, {asked}'
        rows.append([asked, *map(gain_cell, same)])
    if 'rho_size' in reports[0][key][0]:
        head.append('rho(iterations, size)')
        for row, same in zip(rows, zip(*(report[key] for report in reports), strict=True), strict=True):
            row.append(', '.join(f'{each["rho_size"]:.2f}' for each in same))
    return table(head, rows)


def gain_cell(row):
    return f'{row["G"]:+.2f} [{row["low"]:+.2f}, {row["high"]:+.2f}] at {row["share"]:.3f}'


def likelihood_table(reports):
    """G of the mean log-likelihood of a cell's label."""
    named = [
        {'policy': [{**row['log_likelihood'], 'asked': row['asked']} for row in report['policy']]}
        for report in reports
    ]
    return gain_table(named, 'policy', 'share asked', unit='0.01 nat')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('results', nargs='+', type=Path, help=FILES)
    reports = [json.loads(path.read_text()) for path in parser.parse_args().results]
    print(static_table(reports), gain_table(reports, 'policy', 'share asked'), sep='\n\n')
    print('', gain_table(reports, 'rules', 'rule, share asked'), sep='\n')
    if 'log_likelihood' in reports[0]['policy'][0]:
        print('', likelihood_table(reports), sep='\n')


if __name__ == '__main__':
    main()
