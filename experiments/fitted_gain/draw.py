"""The picture of the gains: scores beside those of static budgets, and G with its intervals.

    python experiments/fitted_gain/draw.py experiments/mosaics/results/seed?.json --out mosaics.png

Reads what measure.py wrote for each seed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.figure import Figure


def draw(reports: list[dict]) -> Figure:
    """Scores of the first report, gains of all.

    Args:
        reports: One a seed, as measure.py writes them.
    """
    figure = Figure(figsize=(9.0, 3.4), layout='constrained')
    scores, gains = figure.subplots(1, 2)
    for name, marker, rows, scale in (
        ('one depth for all images', 'o-', reports[0]['menu'], 100),
        ('halting fitted to a budget', 's-', reports[0]['policy'], 1),
    ):
        points = [(100 * row['share'], scale * row['score']) for row in rows]
        scores.plot(*zip(*points, strict=True), marker, markersize=4, label=name)
    scores.set_ylabel('cells named correctly, %')
    scores.legend(frameon=False, loc='lower right')
    for seed, report in enumerate(reports):
        rows = report['policy']
        error = [[abs(row[end] - row['G']) for row in rows] for end in ('low', 'high')]
        x, y = [100 * row['share'] for row in rows], [row['G'] for row in rows]
        gains.errorbar(x, y, error, fmt='o', markersize=3, capsize=2, label=f'seed {seed}')
    gains.axhline(0, color='gray', linewidth=0.8)
    gains.set_ylabel('gain over the best static mixture, points')
    gains.legend(frameon=False)
    for axes in (scores, gains):
        axes.set_xlabel('MACs, % of all iterations')
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('results', nargs='+', type=Path)
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    figure = draw([json.loads(path.read_text()) for path in args.results])
    figure.savefig(args.out, dpi=120, metadata={'Software': None})


if __name__ == '__main__':
    main()
