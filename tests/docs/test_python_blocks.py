"""Every Python block in README and docs: code is run, a config is read and its parts are built."""

from __future__ import annotations

import ast
import re
import warnings

import pytest
import torch
from mmengine.config import Config
from mmengine.config.utils import RemoveAssignFromAST
from mmengine.registry import HOOKS, MODELS
from torch import nn

from iterbackbone import IterativeResNet
from iterbackbone.__main__ import config_path
from tests.support.logs import correlated, write_log

from .blocks import BLOCKS, ROOT, Block
from .config_keys import check_arguments, typed_dicts

EXECUTED = {  # by test_tutorial.py and test_aot.py
    'docs/tutorial.md',
    'docs/evidence/deployment.md',
}
PYTHON = [block for block in BLOCKS if block.language == 'python' and block.page not in EXECUTED]
PAGES = sorted({block.page for block in PYTHON})
TEMPLATE = re.compile(r'{{.*?}}')  # mmengine's


class Model(nn.Module):
    """What the pages call `model`."""

    def __init__(self):
        super().__init__()
        self.backbone = IterativeResNet(depth=152, base_channels=4)


def given():
    """The names that the pages take for granted."""
    images = torch.rand(1, 3, 64, 64)
    return dict(model=Model(), images=images, task_loss=lambda features: features[-1].mean())


def is_config(text):
    """Whether a block only assigns, or is one dict."""
    body = ast.parse(TEMPLATE.sub('None', text)).body
    return all(isinstance(node, ast.Assign) or is_dict(node) for node in body)


def is_dict(node):
    call = getattr(node, 'value', None)
    return isinstance(call, ast.Call) and getattr(call.func, 'id', '') == 'dict'


def check_config(text, folder):
    """mmengine reads it, every type exists and takes its arguments, ours can be built."""
    if name := re.search(r"'BASE'  # (\S+)", text):
        text = text.replace("'BASE'", repr(str(config_path(name[1]))))
    if is_dict(ast.parse(TEMPLATE.sub('None', text)).body[0]):
        text = f'part = {text}'
    (folder / 'config.py').write_text(text)
    Config.fromfile(folder / 'config.py')
    own = {'_base_': {}}
    own_lines = RemoveAssignFromAST('_base_').visit(ast.parse(TEMPLATE.sub('None', text)))
    exec(compile(own_lines, 'config.py', 'exec'), own)
    del own['__builtins__']
    for part in typed_dicts(own):
        check_arguments(part)
        if part['type'].startswith('iterbackbone.'):
            registry = HOOKS if part['type'].endswith('Hook') else MODELS
            with torch.device('meta'):
                registry.build({key: value for key, value in part.items() if key != '_delete_'})


def run_page(blocks, folder):
    """Run or read all blocks in order; code shares its names."""
    names = given()
    for block in blocks:
        if is_config(block.text):
            check_config(block.text, folder)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter('error', DeprecationWarning)
                exec(compile(block.text, str(block), 'exec'), names)
    return names


@pytest.fixture(autouse=True)
def _a_place_to_run(tmp_path, monkeypatch):
    """A working folder with the evaluation that pages speak of."""
    write_log(tmp_path / 'WORK_DIR/TIMESTAMP/iterations/test_epoch_12', correlated(40))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('page', PAGES)
def test_python_blocks_work(page, tmp_path):
    run_page([block for block in PYTHON if block.page == page], tmp_path)


def test_the_macs_are_those_of_the_page(tmp_path):
    page = 'docs/concepts.md'
    blocks = [block for block in PYTHON if block.page == page]
    table = run_page(blocks, tmp_path)['table']
    assert f'# {table.lowest / 1e9:.2f} and {table.highest / 1e9:.2f} GMAC' in blocks[0].text


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('model.backbone.set_budgets()\n', "no attribute 'set_budgets'"),
        ('model.backbone.set_budget(iterations=4)\n', "unexpected keyword argument 'iterations'"),
        ('backbone = dict(depth=\n', 'was never closed'),
        (
            "hook = dict(type='iterbackbone.PonderHook')\n",
            "no registry has the type 'iterbackbone.PonderHook'",
        ),
        ("hook = dict(type='iterbackbone.PonderCostHook', wieght=1)\n", "nothing takes 'wieght'"),
        ("backbone = dict(type='iterbackbone.IterativeResNet', depth=34)\n", 'depth must be one of'),
        ("_base_ = 'mmdet::retinanet/none.py'\n", 'none.py'),
        ("dict(type='iterbackbone.PonderCostHook', target=2)\n", 'target must be between 0 and 1'),
    ],
)
def test_what_is_wrong_is_found(text, error, tmp_path):
    with pytest.raises((Exception, SystemExit), match=re.escape(error)):
        run_page([Block('docs/new.md', 1, 'python', '', text)], tmp_path)


def test_no_page_of_the_repository_is_forgotten():
    assert {'README.md', 'docs/drop-in.md', 'docs/budgets.md'} <= set(PAGES)
    assert all((ROOT / page).is_file() for page in PAGES)
