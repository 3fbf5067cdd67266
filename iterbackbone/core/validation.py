"""Argument checks whose messages name the argument, the value and what is allowed.

They raise TypeError for another type, ValueError for a value that is not allowed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from numbers import Integral, Real
from typing import Any


def check_int(name: str, value: object, minimum: int, maximum: int | None = None) -> int:
    """Return ``value``, from ``minimum`` to ``maximum``, as int; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} must be an int, got {value!r}')
    number = int(value)
    if number < minimum or (maximum is not None and number > maximum):
        allowed = f'>= {minimum}' if maximum is None else f'between {minimum} and {maximum}'
        raise ValueError(f'{name} must be {allowed}, got {number}')
    return number


def check_real(name: str, value: object) -> float:
    """Return ``value`` as a finite float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} must be a number, got {value!r}')
    try:
        number = float(value)
    except OverflowError:  # an integer that no float can hold
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f'{name} must be finite, got {number}')
    return number


def check_share(name: str, value: object) -> float:
    """Return ``value`` as a float in [0, 1]."""
    number = check_real(name, value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f'{name} must be between 0 and 1, got {number}')
    return number


def check_choice(name: str, value: object, allowed: Collection) -> None:
    """Check that ``value`` is one of ``allowed``."""
    if value not in list(allowed):  # a list: the value may be unhashable
        raise ValueError(f'{name} must be one of {sorted(allowed)}, got {value!r}')


def check_bool(name: str, value: object) -> bool:
    """Return ``value``, a bool."""
    if not isinstance(value, bool):
        raise TypeError(f'{name} must be a bool, got {value!r}')
    return value


def check_options(name: str, options: object, allowed: Collection[str]) -> dict[str, Any]:
    """Return a mapping with some of the keys ``allowed`` as a dict, {} for None."""
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise TypeError(f'{name} must be a dict with some of {sorted(allowed)}, got {options!r}')
    for key in options:
        check_choice(name, key, allowed)
    return dict(options)


def check_int_tuple(name: str, value: object, length: int | None, minimum: int) -> tuple[int, ...]:
    """Return a sequence of ``length`` ints, of any number where that is None, as a tuple."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        ints = 'ints' if length is None else f'{length} ints'
        raise TypeError(f'{name} must be a sequence of {ints}, got {value!r}')
    if length is not None and len(value) != length:
        raise ValueError(f'{name} must have {length} items, got {len(value)}: {tuple(value)}')
    return tuple(check_int(f'{name}[{i}]', item, minimum) for i, item in enumerate(value))


def ascending_stages(out_indices: Sequence[int], num_stages: int, lowest: int = 0) -> tuple[int, ...]:
    """Stages among ``num_stages``, ascending; with ``-num_stages`` as ``lowest`` also from the last."""
    given = check_int_tuple('out_indices', out_indices, None, lowest)
    indices = tuple(k + num_stages if k < 0 else k for k in given)
    if not indices or list(indices) != sorted(set(indices)) or indices[-1] >= num_stages:
        raise ValueError(
            f'out_indices must be ascending stages between 0 and {num_stages - 1}, got {given}'
        )
    return indices
