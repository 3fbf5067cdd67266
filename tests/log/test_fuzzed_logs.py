"""The reader of logs under random lines: each is used or named, and none is an error."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from iterbackbone.log.meta_schema import EvaluationMeta
from iterbackbone.log.reader import missing_and_repeated, read_meta, read_records
from iterbackbone.log.schema import IterationRecord
from tests.support.fuzzing import ATOMS, NUMBERS, cases, run

ANYTHING = st.recursive(
    ATOMS.filter(lambda value: not isinstance(value, bytes)) | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
GOOD = {'iterations': [1, 2], 'total_iterations': 3, 'macs': 10, 'macs_full': 20, 'img_id': 'a'}
FIELDS = st.sampled_from(sorted(IterationRecord.__annotations__))
META = {'schema_version': 1, 'max_iterations': [1], 'blocks_per_stage': [1], 'classes': []}
META_FIELDS = st.sampled_from(sorted(EvaluationMeta.__annotations__))
RECORD = st.dictionaries(FIELDS, ANYTHING, max_size=3).map(lambda fields: {**GOOD, **fields})
TEXT = (RECORD | ANYTHING).map(lambda value: json.dumps(value).encode())
CUT = st.tuples(TEXT, st.integers(0, 60)).map(lambda pair: pair[0][: pair[1]])
LINES = st.lists(TEXT | CUT | st.binary(max_size=40), max_size=5)


@cases(150, 3000)
def test_records(tmp_path, examples):
    path = tmp_path / 'records.jsonl'

    def check(lines):
        path.write_bytes(b'\n'.join(lines))
        used, problems = read_records(path)
        numbers = [line.number for line in used] + [problem.line for problem in problems]
        written = [n for n, line in enumerate(path.read_bytes().split(b'\n'), 1) if line.strip()]
        assert sorted(numbers) == written
        missing_and_repeated(path, {'dataset': {'num_images': 2}}, used)

    run(examples, LINES, check)


@cases(60, 1500)
def test_meta(tmp_path, examples):
    path = tmp_path / 'meta.json'
    whole = st.dictionaries(META_FIELDS, ANYTHING, max_size=3).map(lambda fields: {**META, **fields})

    def check(text):
        path.write_bytes(text)
        try:
            meta = read_meta(path)
        except ValueError as error:
            if not str(error).startswith(str(path)):
                raise
        else:
            assert meta['schema_version'] in (1, 2)

    run(examples, whole.map(lambda value: json.dumps(value).encode()) | TEXT | CUT, check)
