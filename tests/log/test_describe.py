"""The schema in words, and the page that is made of it."""

from __future__ import annotations

from pathlib import Path

from iterbackbone.log.describe import rewritten, table

PAGE = Path(__file__).parents[2] / 'docs/log-format.md'


def test_the_page_is_current():
    text = PAGE.read_text()
    assert rewritten(text) == text, 'run python -m iterbackbone.log.describe docs/log-format.md'
    assert text.count('| field | type | meaning |') == 9


def test_a_field_has_its_type_limits_and_meaning():
    rows = table('IterationRecord').splitlines()
    assert '| `height` | integer 0 to 1e+06 or null | of the original image, pixels |' in rows
    assert not any(row.startswith('| `macs`') for row in rows)  # it stands in the module's table
    assert '| `classes` | list of 0 to 100000: text up to 500, required | by label |' in table(
        'EvaluationMeta'
    )
