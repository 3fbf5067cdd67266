"""Whether adapting pays, in one sentence.

It does where, in each of at least three seeds, the gain's interval lies above zero at two of three
shares of the MACs, with p below .01 against shuffled depths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .gain import Gain

TARGETS = (0.35, 0.5, 0.65)  # shares of the MACs
NEAR = 0.05  # a policy counts for the target that it is at most this far from
REQUIRED_TARGETS, REQUIRED_SEEDS, REQUIRED_SOURCES = 2, 3, 30
MAX_P = 0.01
NO_GAIN = 1.0  # points, or percent of another score: an interval that ends below it shows "No"
_SHARES = f'{REQUIRED_TARGETS} of the shares {", ".join(f"{t:.0%}" for t in TARGETS)} of the MACs'
TOO_WIDE = 'the interval is too wide: more images are required'


def pays(gain: Gain) -> bool:
    """Whether one policy is better than static budgets and than its own shuffled depths."""
    better = gain.low > 0 and not gain.dominated
    return better and gain.shuffled is not None and gain.shuffled.p_value < MAX_P


def target_of(gain: Gain) -> float | None:
    """The one of ``TARGETS`` that the policy's share of the MACs is near; None far from all."""
    return next((target for target in TARGETS if abs(gain.share - target) <= NEAR + 1e-9), None)


def amount(gain: float, unit: str) -> str:
    """A gain as text, with its sign: hundredths of points, three digits of other units."""
    return f'{gain:+.2f}' if unit == 'points' else f'{gain:+.3g}'


def verdict(seeds: Sequence[Sequence[Gain]], unit: str = 'points') -> str:
    """One sentence that begins with "Yes", "No" or "Not shown"; a seed is one training's policies.

    "No" where nothing is gained, or where a seed was measured at the shares required and fails.
    "Not shown" where something is gained, yet shares, shuffles, images or seeds are lacking, and where
    the interval is so wide that much may be gained or nothing. ``unit`` is that of the scores.

    Raises:
        ValueError: no seed, or a seed without a policy.
    """
    if not seeds or not all(seeds):
        raise ValueError('seeds must hold at least one policy each')
    gains = [gain for seed in seeds for gain in seed]
    best = max(gains, key=_rank)
    words = _words(best, unit, len(gains))
    if not any(_rank(best)[:2]):  # neither pays nor may pay
        undecided = [gain for gain in gains if _undecided(gain, unit)]
        if not undecided:
            return f'No, adapting does not pay: {words}.'
        return f'Not shown: {_words(max(undecided, key=_rank), unit, len(gains))}, but {TOO_WIDE}.'
    failing = [seed for seed in seeds if not _enough(filter(pays, seed))]
    failed = sum(_enough(g for g in seed if _measured(g, unit)) for seed in failing)
    if failed:
        which = 'the seed' if len(seeds) == 1 else f'{failed} of {len(seeds)} seeds'
        verb = 'gains' if failed == 1 else 'gain'
        return (
            f'No, adapting does not pay reliably: {words}, but {which} {verb} at fewer than {_SHARES}.'
        )
    lacking = _lacking(seeds, [gain for seed in failing for gain in seed], unit)
    if lacking:
        return f'Not shown: {words}, but {lacking}.'
    least = min(gain.value for gain in gains if pays(gain))
    return (
        f'Yes, adapting pays: at {_SHARES} or more each of {len(seeds)} seeds gains at least '
        f'{amount(least, unit)} {unit} over the best mixture of two static budgets, and over its own '
        'depths on other images.'
    )


def _rank(gain: Gain) -> tuple:
    """Of what pays first, then of what may pay, as its shuffles are unknown."""
    better = gain.low > 0 and not gain.dominated
    return pays(gain), better and gain.shuffled is None, better, gain.low, gain.value


def _enough(gains: Iterable[Gain]) -> bool:
    return len({target_of(gain) for gain in gains} - {None}) >= REQUIRED_TARGETS


def _undecided(gain: Gain, unit: str) -> bool:
    """Whether nothing or much may be gained, and the shuffles do not tell."""
    much = NO_GAIN if unit == 'points' else abs(gain.mixture) * NO_GAIN / 100
    beaten = gain.shuffled is not None and gain.shuffled.p_value >= MAX_P
    return gain.low <= 0 and gain.high >= much and not beaten


def _measured(gain: Gain, unit: str) -> bool:
    return (gain.shuffled is not None or gain.low <= 0) and not _undecided(gain, unit)


def _lacking(seeds: Sequence[Sequence[Gain]], failing: Sequence[Gain], unit: str) -> str | None:
    """What is lacking, where the gains ``failing`` are those of seeds that do not pass."""
    fewest = min(gain.num_groups for seed in seeds for gain in seed)
    if any(gain.shuffled is None for gain in failing if gain.low > 0):
        return 'its depths on other images were not measured'
    if any(_undecided(gain, unit) for gain in failing):
        return f'of another policy {TOO_WIDE}'
    if failing:
        return f'gains at {_SHARES} are required'
    if fewest < REQUIRED_SOURCES:
        return f'{REQUIRED_SOURCES} source images are required, {fewest} were measured'
    if len(seeds) < REQUIRED_SEEDS:
        return f'{REQUIRED_SEEDS} seeds are required, {len(seeds)} measured'
    return None


def _words(gain: Gain, unit: str, of: int) -> str:
    """A policy in words, the best of several."""
    relation = 'more than' if gain.low > 0 else 'less than' if gain.high < 0 else 'about as much as'
    text = (
        f'{"at best, " if of > 1 else ""}at {gain.share:.0%} of the MACs the policy scores {relation} '
        f'the best mixture of two static budgets (gain {amount(gain.value, unit)} {unit}, '
        f'95% interval {amount(gain.low, unit)} to {amount(gain.high, unit)})'
    )
    if gain.low <= 0:
        return text
    if gain.dominated:
        return f'{text}, but not clearly more than a static budget that costs less'
    if gain.shuffled is not None and not pays(gain):
        p = gain.shuffled.p_value
        return f'{text}, but not clearly more than its own depths on other images (p = {p:.3f})'
    return text
