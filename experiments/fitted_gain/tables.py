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
    """Each static budget: share, score of each seed that ran it, scores by object size of the first."""
    head = ['iterations', 'share', *(f'right, % (seed {i})' for i in range(len(reports)))]
    by_size = reports[0]['menu'][0]['by_size']
    head += [f'by size: {" / ".join(by_size)}'] if by_size else []
    menus = [{tuple(row['depths']): row for row in report['menu']} for report in reports]
    shares = {depths: row['share'] for menu in menus for depths, row in menu.items()}
    rows = []
    for depths in sorted(shares, key=lambda depths: (shares[depths], depths)):
        scores = [f'{100 * menu[depths]["score"]:.1f}' if depths in menu else '' for menu in menus]
        rows.append(['/'.join(map(str, depths)), f'{shares[depths]:.3f}', *scores])
        if by_size:
            rows[-1].append(sizes(menus[0][depths]['by_size']) if depths in menus[0] else '')
    return table(head, rows)


def gain_table(reports, key, name, mean=False, unit='points'):
    """G of each row of ``reports[i][key]``, with its interval, at the share met."""
    head = [name, *(f'G, {unit} (seed {i})' for i in range(len(reports)))]
    head += ['mean'] if mean else []
    rhos = 'rho_size' in reports[0][key][0]
    head += ['rho(iterations, size)'] if rhos else []
    rows = []
    for same in zip(*(report[key] for report in reports), strict=True):
        asked = 'as trained' if same[0]['asked'] is None else f'{same[0]["asked"]:.2f}'
        if 'rule' in same[0]:
            asked = f'{same[0]["rule"].replace("_", " ")}, {asked}'
        rows.append([asked, *map(gain_cell, same)])
        rows[-1] += [mean_cell(same)] if mean else []
        rows[-1] += [', '.join(f'{each["rho_size"]:.2f}' for each in same)] if rhos else []
    return table(head, rows)


def gain_cell(row):
    return f'{row["G"]:+.2f} [{row["low"]:+.2f}, {row["high"]:+.2f}] at {row["share"]:.3f}'


def mean_cell(rows):
    """Mean of seeds that do not depend on each other."""
    mean = sum(row['G'] for row in rows) / len(rows)
    half = sum(((row['high'] - row['low']) / 2) ** 2 for row in rows) ** 0.5 / len(rows)
    return f'{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]'


def likelihood_table(reports, mean=False):
    """G of the mean log-likelihood of a cell's label."""
    named = [
        {'policy': [{**row['log_likelihood'], 'asked': row['asked']} for row in report['policy']]}
        for report in reports
    ]
    return gain_table(named, 'policy', 'share asked', mean, unit='0.01 nat')


def tables(reports, mean=False):
    """Static budgets, gains of the policy and of the rules, and in log-likelihood if known."""
    yield static_table(reports)
    yield gain_table(reports, 'policy', 'share asked', mean)
    yield gain_table(reports, 'rules', 'rule, share asked', mean)
    if 'log_likelihood' in reports[0]['policy'][0]:
        yield likelihood_table(reports, mean)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('results', nargs='+', type=Path, help=FILES)
    parser.add_argument('--mean', action='store_true', help='of seeds with test images of their own')
    args = parser.parse_args()
    reports = [json.loads(path.read_text()) for path in args.results]
    print(*tables(reports, args.mean), sep='\n\n')


if __name__ == '__main__':
    main()
