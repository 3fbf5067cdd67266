"""Runtimes that may be missing."""

from __future__ import annotations

import pytest

from iterbackbone.export.onnx import runtime


def test_a_missing_runtime_is_named(monkeypatch):
    monkeypatch.setattr(runtime, 'find_spec', lambda _: None)
    with pytest.raises(ValueError, match=r'^no openvino here: pip install openvino$'):
        runtime.open_session(b'', runtime='openvino')
