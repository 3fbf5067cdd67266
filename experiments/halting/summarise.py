"""A table of the halting experiments, from the raw logs that run.py wrote.

Differences of accuracy are paired by image with the yardstick of the same seed; their 95%
intervals are percentiles of a bootstrap over the test images.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
from scipy import stats

from iterbackbone.stats.association import associate

COLUMNS = (
    'variant (seed)',
    'correct, %',
    'minus the yardstick, points',
    'MACs, % of full',
    'iterations',
    'std of the total',
    'rho(error)',
    'error by quartile of iterations, %',
    'with batch statistics: correct, MACs, %',
    'processor, s',
)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('logs', type=Path, nargs='+', help='files of run.py')
    parser.add_argument('--yardstick', default='full_held', help='variant to compare with')
    return parser.parse_args()


def right(log):
    test = log['test']
    return np.equal(test['label'], test['prediction']).astype(float)


def pair_of(log):
    """Only runs of the same seed and length are compared."""
    return log['seed'], log['epochs']


def difference(log, yardstick):
    if yardstick is None or yardstick is log:
        return '-'
    paired = right(log) - right(yardstick)
    interval = stats.bootstrap((paired,), np.mean, method='percentile', rng=0).confidence_interval
    return f'{100 * paired.mean():+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]'


def correlation(found):
    if found.coefficient is None:
        return 'none: all alike'
    interval = '' if found.low is None else f' [{found.low:+.2f}, {found.high:+.2f}]'
    return f'{found.coefficient:+.2f}{interval}'


def quartiles(error, total):
    """Errors by quartile; images with equal iterations share theirs evenly."""
    mean = {n: error[total == n].mean() for n in np.unique(total)}
    ordered = np.array([mean[n] for n in np.sort(total)])
    return '/'.join(f'{100 * part.mean():.0f}' for part in np.array_split(ordered, 4))


def with_batch_statistics(log):
    found, images = log.get('batch_statistics'), len(log['test']['label'])
    if found is None:
        return ''
    macs = found['macs'] / images / log['test']['macs_full']
    return f'{100 * found["correct"] / images:.1f}, {100 * macs:.1f}'


def row(log, yardstick):
    iterations = np.array(log['test']['iterations'])
    total, error = iterations.sum(axis=1), 1 - right(log)
    return (
        f'{log["variant"]} ({log["seed"]})'
        + (f', {log["epochs"]} epochs' if log['epochs'] != 6 else ''),
        f'{100 * right(log).mean():.1f}',
        difference(log, yardstick),
        f'{100 * np.mean(log["test"]["macs"]) / log["test"]["macs_full"]:.1f}',
        '/'.join(f'{n:.1f}' for n in iterations.mean(axis=0)),
        f'{total.std():.2f}',
        correlation(associate(error, total)),
        quartiles(error, total),
        with_batch_statistics(log),
        f'{log["cpu_seconds"]:.0f}',
    )


def main():
    args = parse_args()
    logs = [json.loads(gzip.decompress(path.read_bytes())) for path in args.logs]
    yardsticks = {pair_of(log): log for log in logs if log['variant'] == args.yardstick}
    print('| ' + ' | '.join(COLUMNS) + ' |\n|' + '---|' * len(COLUMNS))
    for log in logs:
        print('| ' + ' | '.join(row(log, yardsticks.get(pair_of(log)))) + ' |')


if __name__ == '__main__':
    main()
