"""The schema in words, and the page that is made of it."""

from __future__ import annotations

import runpy

from .blocks import ROOT

SCRIPT = runpy.run_path(str(ROOT / 'docs/hooks/log_format.py'))


def test_the_page_is_current():
    text = SCRIPT['PAGE'].read_text()
    assert SCRIPT['rewritten'](text) == text, 'run python docs/hooks/log_format.py'
    assert text.count('| field | type | meaning |') == 9


def test_a_field_has_its_type_limits_and_meaning():
    table = SCRIPT['table']
    rows = table('IterationRecord').splitlines()
    assert '| `height` | integer 0 to 1e+06 or null | of the original image, pixels |' in rows
    assert not any(row.startswith('| `macs`') for row in rows)  # it stands in the module's table
    assert '| `classes` | list of 0 to 100000: text up to 500, required | by label |' in table(
        'EvaluationMeta'
    )
