"""Random arguments: what is built works, what is refused names the argument."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

INF = float('inf')
SMALL = st.integers(-2, 6)  # a network of a larger size is slow, not wrong
FLOATS = st.floats() | st.sampled_from([0.01, 0.5, 0.99])
# No large int among the atoms: a network of 10**400 blocks is built until the memory ends, and so
# is one of 10**9 channels, on the way from that to the simplest failure.
ATOMS = st.none() | st.booleans() | SMALL | FLOATS | st.text(max_size=4) | st.binary(max_size=4)
NUMBERS = FLOATS | st.sampled_from([10**400, -(10**400)])
SMALL_INTS = st.lists(st.integers(0, 4), min_size=1, max_size=5)
JUNK = ATOMS | SMALL_INTS | st.lists(ATOMS, max_size=5) | st.dictionaries(st.text(max_size=4), ATOMS)

# As often about right as not.
INT = SMALL | JUNK
BOOL = st.booleans() | JUNK
REAL = NUMBERS | JUNK
INTS = SMALL_INTS | SMALL_INTS.map(tuple) | JUNK
HALTING = (
    st.fixed_dictionaries(
        {}, optional={'hidden': INT, 'bias': REAL, 'epsilon': REAL, 'layer_norm': BOOL}
    )
    | JUNK
)
BUDGET = st.fixed_dictionaries({}, optional={'max_iterations': INTS, 'halting_threshold': REAL}) | JUNK
MODE = st.sampled_from(['active', 'masked'])
EXECUTION = MODE | st.fixed_dictionaries({'train': MODE, 'eval': MODE | JUNK}) | JUNK


def cases(count, many):
    """Parametrises a test with numbers of examples: ``count`` by default, ``many`` among the long."""
    return pytest.mark.parametrize('examples', [count, pytest.param(many, marks=pytest.mark.long)])


def some_of(**strategies):
    """One to three of the arguments."""
    return st.lists(st.sampled_from(sorted(strategies)), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: strategies[name] for name in names})
    )


def run(examples, strategy, check):
    """``check(value)`` for so many values of the strategy."""

    def each(value):
        check(value)

    settings(max_examples=examples)(given(strategy)(each))()


def built(make, arguments, defaults=None):
    """What ``make`` makes of both; None where it refuses, naming one of them."""
    options = {**(defaults or {}), **arguments}
    try:
        return make(**options)
    except (TypeError, ValueError) as error:
        if any(name in str(error) for name in options):
            return None
        raise
