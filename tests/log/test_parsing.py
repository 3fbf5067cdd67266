"""One line of the log."""

from __future__ import annotations

import json
import math
from pathlib import PurePath

import numpy as np
import pytest

from iterbackbone.log.parsing import to_line


def test_numbers_that_are_not_finite_become_null():
    line = to_line({'a': math.nan, 'b': [1.5, math.inf], 'c': {'d': -math.inf}, 'e': (2, None)})
    assert line == b'{"a":null,"b":[1.5,null],"c":{"d":null},"e":[2,null]}\n'


def test_a_record_is_one_line_whatever_its_text():
    line = to_line({'img_path': 'a\nb"<script>ü'})
    assert line.count(b'\n') == 1
    assert json.loads(line) == {'img_path': 'a\nb"<script>ü'}


def test_unknown_types_are_refused():
    with pytest.raises(TypeError):
        to_line({'a': object()})


def test_arrays_paths_and_names_that_are_no_utf_8():
    line = to_line({'a': np.int64(3), 'b': np.array([1.5, 2]), 'c': PurePath('x/y'), 'd': np.str_('é')})
    assert json.loads(line) == {'a': 3, 'b': [1.5, 2], 'c': 'x/y', 'd': 'é'}
    line = to_line({'img_path': 'caf\udce9.png', 'b': ['ü', PurePath('\udce9')]})
    assert json.loads(line) == {'img_path': 'caf\\udce9.png', 'b': ['ü', '\\udce9']}
