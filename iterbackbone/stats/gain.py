"""Does adapting pay? The gain of a policy over static budgets of the same mean cost.

G is the score of the policy at its mean cost m minus that of the best random mixture of two static
budgets with the same mean cost. These two are vertices of the concave envelope of the budgets'
(cost, score), chosen on calibration images.

Shape legend: n images, k static budgets, r runs of which run 0 is the policy's, B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .run_scores import Array, MeanScores, RunScores, interval95, rounded
from .shuffled_depths import Shuffled, ShuffledDepths
from .static_mixture import StaticMixture, envelope

RESAMPLES = 10_000
SET_RESAMPLES = 1000  # of a score that is no mean over images
COUNTS_AT_ONCE = 2**21  # 16 MB

Progress = Callable[[Iterable[Any]], Iterable[Any]]
__all__ = ['Gain', 'envelope', 'gain', 'measure']


@dataclass(frozen=True)
class Gain:
    """What a policy gains over the best mixture of two static budgets of its mean cost.

    Attributes:
        value: G, in the unit of the scores; ``low`` and ``high`` are its 95% bootstrap interval.
        p_value: One-sided, that G is not above 0: the share of resamples where it is not.
        cost: The policy's mean cost m, in MACs.
        share: m as a share of full depth's mean cost.
        score: The policy's.
        mixture: Score of the mixture.
        vertices: The two static budgets, as places in the menu, the cheaper one first.
        weight: Share of the images that the mixture gives to the second.
        dominated: Whether the policy is not above the best static budget that costs less, by the
            95% interval of their difference.
        num_images: n.
        num_groups: Source images, n where there are no groups.
        shuffled: The policy beside its own depths on other images; None where that is unknown.
    """

    value: float
    low: float
    high: float
    p_value: float
    cost: float
    share: float
    score: float
    mixture: float
    vertices: tuple[int, int]
    weight: float
    dominated: bool
    num_images: int
    num_groups: int
    shuffled: Shuffled | None


def gain(
    policy_cost: ArrayLike,
    policy_scores: ArrayLike,
    menu_cost: ArrayLike,
    menu_scores: ArrayLike,
    *,
    vertices: Sequence[int],
    **options: Any,
) -> Gain:
    """G of a score that is a mean over images; greater is better.

    Costs are MACs, (n,) of the policy and (k, n) of the menu, or (k,) where the images do not differ;
    scores are (n,) and (k, n). ``vertices`` are the :func:`envelope` of the same menu on calibration
    images. Other options and all errors are those of :func:`measure`.
    """
    own, scores = np.asarray(policy_scores, dtype=np.float64), np.asarray(menu_scores, dtype=np.float64)
    costs = np.asarray(menu_cost, dtype=np.float64)
    if own.ndim != 1 or scores.ndim != 2 or scores.shape[1] != len(own):
        raise ValueError(
            'policy_scores and menu_scores must have the shapes (n,) and (k, n), '
            f'got {own.shape} and {scores.shape}'
        )
    if costs.shape not in (scores.shape, scores.shape[:1]):
        raise ValueError(
            f'menu_cost must have the shape {scores.shape} or {scores.shape[:1]}, got {costs.shape}'
        )
    costs = np.broadcast_to(costs if costs.ndim == 2 else costs[:, None], scores.shape)
    runs = np.concatenate([np.broadcast_to(policy_cost, (1, len(own))), costs])
    return measure(MeanScores(np.concatenate([own[None], scores])), runs, vertices=vertices, **options)


def measure(
    scores: RunScores,
    costs: ArrayLike,
    *,
    vertices: Sequence[int],
    full_cost: float | None = None,
    choices: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    resamples: int | None = None,
    shuffles: int | None = None,
    seed: int = 0,
    progress: Progress = iter,
) -> Gain:
    """G of any score.

    Where the score is no mean over images, the mixture's is the mean over random assignments of
    the images. The interval then takes the mixture of expected counts for it, shifted by the
    difference that the two have on all images.

    Args:
        scores: Of r runs: the policy's, then the static ones.
        costs: (r, n) MACs of each image.
        vertices: :func:`envelope` on calibration images; places among the static runs.
        full_cost: Mean MACs at full depth; by default those of the most expensive static run.
        choices: (n,) the static run at each image's own depth, as its place among the static
            ones; it allows the comparison with shuffled depths.
        groups: (n,) the source of each image, numbers or names. Sources are resampled.
        resamples: By default 10,000, or 1,000 of a score that is no mean.
        shuffles: By default 1,000, or 200 of a score that is no mean.
        progress: Wraps the batches of resamples, such as tqdm.

    Raises:
        ValueError: shapes that do not agree, costs that are not finite and positive, or a mean cost
            of the policy that no mixture of the vertices has.
    """
    cost = np.asarray(costs, dtype=np.float64)
    if cost.shape != (scores.num_runs, scores.num_images) or not (np.isfinite(cost) & (cost > 0)).all():
        raise ValueError(
            f'costs must be finite and positive, of the shape {(scores.num_runs, scores.num_images)}, '
            f'got {cost.shape}'
        )
    n, rng = scores.num_images, np.random.default_rng(seed)
    names = np.arange(n) if groups is None else np.asarray(groups)
    if names.shape != (n,):
        raise ValueError(f'groups must have the shape ({n},), got {names.shape}')
    sources, members = np.unique(names, return_inverse=True)
    mixture = StaticMixture(scores, cost, vertices)
    shuffled = None if choices is None else ShuffledDepths(scores, cost, choices, shuffles, rng)
    found = mixture.compare(np.ones((1, n)))
    own, soft, weight = (float(v[0]) for v in found)
    mixed = soft if scores.linear else mixture.assigned(weight, rng)
    gains, above, over = [], [], []
    resamples = resamples or (RESAMPLES if scores.linear else SET_RESAMPLES)
    batches, draws = range(0, resamples, max(1, COUNTS_AT_ONCE // n)), np.random.default_rng(seed)
    for start in progress(batches):
        counts = _image_counts(members, min(batches.step, resamples - start), draws)
        policy, static, _ = mixture.compare(counts)
        gains.append(policy - static - (mixed - soft))
        above.append(policy - mixture.cheaper(counts))
        if shuffled is not None:
            over.append(policy - shuffled.expected(counts))
    values, grouped = rounded(np.concatenate(gains)), len(sources) < n
    return Gain(
        float(rounded(own - mixed)),
        *interval95(values),
        p_value=float((1 + (values <= 0).sum()) / (1 + len(values))),
        cost=float(cost[0].mean()),
        share=float(cost[0].mean() / (full_cost or cost[1:].mean(axis=1).max())),
        score=own,
        mixture=mixed,
        vertices=mixture.vertices,
        weight=weight,
        dominated=bool(np.percentile(rounded(np.concatenate(above)), 2.5, method='lower') <= 0),
        num_images=n,
        num_groups=len(sources),
        shuffled=None if shuffled is None else shuffled.beside(own, np.concatenate(over), grouped),
    )


def _image_counts(members: NDArray, resamples: int, rng: np.random.Generator) -> Array:
    """How often each image occurs in bootstrap resamples of whole sources, (resamples, n).

    ``members`` are (n,) the source of each image, numbers from 0.
    """
    sources = int(members.max()) + 1
    drawn = rng.integers(sources, size=(resamples, sources))
    counts = [np.bincount(row, minlength=sources) for row in drawn]
    return np.array(counts, dtype=np.float64)[:, members]
