"""Tiny packed weights instead of the shipped ones."""

from __future__ import annotations

import pytest

from iterbackbone.pretrained.index import FOLDER_VARIABLE
from tests.support.pretrained import pack


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('weights')


@pytest.fixture(scope='module')
def state(folder):
    return pack(folder)


@pytest.fixture
def own_weights(folder, state, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
