"""Runs of one process, however soon one follows the other."""

from __future__ import annotations

from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import nn


def test_runs_of_one_name_keep_their_scopes(tmp_path):
    """The fixture of all tests sees to it: mmengine tells runs apart by the second."""
    options = dict(model=nn.Identity(), work_dir=str(tmp_path), experiment_name='same')
    scopes = ['mmdet', 'mmpretrain', 'mmdet']
    runs = [Runner(**options, log_level='WARNING', default_scope=scope) for scope in scopes]
    assert [run.default_scope.scope_name for run in runs] == scopes
    assert DefaultScope.get_current_instance() is runs[-1].default_scope
    assert len({id(run.message_hub) for run in runs}) == 3
