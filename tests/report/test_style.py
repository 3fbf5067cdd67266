"""Eight evaluations, as many as a menu may have, look different."""

from __future__ import annotations

from iterbackbone.report.style import GREY, SYMBOLS, colour, symbol
from iterbackbone.stats.static_mixture import MAX_MENU


def test_no_two_runs_of_a_menu_look_alike():
    assert len({GREY, *map(colour, range(MAX_MENU))}) == 1 + MAX_MENU
    assert len(set(map(symbol, range(MAX_MENU)))) == len(set(SYMBOLS.values())) == MAX_MENU
