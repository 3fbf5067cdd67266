"""The generator's command line: determinism, refusals, messages."""

import json
import subprocess
import sys
from pathlib import Path

import make_shapes_voc as tool
import pytest
from shapes import write_voc

TOOLS = Path(__file__).parents[2] / 'tools'

SMALL = ['--num-train', '6', '--num-val', '3']


def contents(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob('*')) if p.is_file()}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp('shapes') / 'set'
    assert tool.main([str(root), *SMALL]) == 0
    return root


def test_same_bytes_in_another_process(made, tmp_path):
    again = tmp_path / 'new' / 'again'
    command = [sys.executable, str(TOOLS / 'make_shapes_voc.py'), str(again), *SMALL]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 'made 6 training and 3 validation images' in done.stdout
    assert contents(again) == contents(made)


def test_an_image_depends_on_its_index_alone(made, tmp_path):
    assert tool.main([str(tmp_path / 'few'), '--num-train', '2', '--num-val', '1']) == 0
    few, many = contents(tmp_path / 'few'), contents(made)
    same = [name for name in few if name.endswith(('.jpg', '.png', '.xml'))]
    assert len(same) > 12
    assert all(few[name] == many[name] for name in same)
    assert (
        tool.main([str(tmp_path / 'other'), '--num-train', '2', '--num-val', '1', '--seed', '1']) == 0
    )
    other = contents(tmp_path / 'other')
    jpegs = [name for name in few if name.endswith('.jpg')]
    assert all(few[name] != other[name] for name in jpegs)


def test_there_already(made, capsys):
    before = {path: path.stat().st_mtime_ns for path in made.rglob('*')}
    assert tool.main([str(made), *SMALL]) == 0
    assert f'already there: {made}' in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made.rglob('*')} == before


def test_other_parameters_are_refused(made, capsys):
    before = contents(made)
    assert tool.main([str(made), *SMALL, '--seed', '5', '--objects', '1', '3']) == 2
    message = capsys.readouterr().err
    assert 'seed 0 instead of 5' in message
    assert 'objects [1, 20] instead of [1, 3]' in message
    assert '--overwrite' in message
    assert contents(made) == before


@pytest.mark.parametrize('record', [None, '', '[1]', '{"version": '])
def test_foreign_folder_is_refused_and_never_deleted(tmp_path, capsys, record):
    root = tmp_path / 'data'
    root.mkdir()
    (root / 'precious.txt').write_text('kept')
    if record is not None:
        (root / 'shapes.json').write_text(record)
    few = [str(root), '--num-train', '1', '--num-val', '1']
    assert tool.main(few) == 2
    assert 'not a set made by this tool' in capsys.readouterr().err
    assert tool.main([*few, '--overwrite']) == 0
    assert (tmp_path / 'data.bak1/precious.txt').read_text() == 'kept'
    assert str(tmp_path / 'data.bak1') in capsys.readouterr().out
    assert (root / 'VOCdevkit').is_dir()


def test_overwrite_replaces_an_old_set(tmp_path):
    few = [str(tmp_path / 'set'), '--num-train', '1', '--num-val', '1']
    (tmp_path / 'set').mkdir()  # an empty folder is as good as none
    assert tool.main(few) == 0
    assert tool.main([*few, '--seed', '1', '--overwrite']) == 0
    assert json.loads((tmp_path / 'set/shapes.json').read_text())['seed'] == 1
    assert [p.name for p in tmp_path.iterdir()] == ['set']


@pytest.mark.parametrize('stop', [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch, stop):
    write_image, seen = write_voc.write_image, []

    def breaking(*args):
        seen.append(args)
        if len(seen) == 3:
            raise stop
        write_image(*args)

    monkeypatch.setattr(write_voc, 'write_image', breaking)
    with pytest.raises(stop):
        tool.main([str(tmp_path / 'set'), *SMALL])
    assert len(seen) == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('arguments', 'part'),
    [
        ('--num-train 0', '--num-train 0: must be 1 to'),
        ('--num-val -3', '--num-val -3: must be 1 to'),
        ('--seed -1', '--seed -1: must be 0 or more'),
        ('--size 32 192', '--size 32 192: width and height must each be 64 to 4096'),
        ('--objects 0 5', '--objects 0 5: must be two numbers LOW HIGH with 1 <= LOW'),
        ('--objects 6 5', '--objects 6 5: must be two numbers LOW HIGH'),
        (
            '--objects 1 105',
            'HIGH <= 104 (the most that fit)',
        ),
        ('--object-size 0.5 0.1', '--object-size 0.5 0.1: must be two shares'),
        (
            '--object-size 0.05 0.5',
            'LOW makes objects of 9.6 px; 12 px (0.063) needed',
        ),
        ('--object-size nan 0.5', '--object-size nan 0.5: must be two shares'),
        ('--clutter 1.5', '--clutter 1.5: must be 0 to 1'),
        ('--difficult -0.1', '--difficult -0.1: must be 0 to 1'),
        ('--seed x', 'argument --seed: invalid int value'),
        ('--size 256', 'argument --size: expected 2 arguments'),
    ],
)
def test_bad_arguments_are_named(tmp_path, capsys, arguments, part):
    with pytest.raises(SystemExit) as stopped:
        tool.main([str(tmp_path / 'set'), *arguments.split()])
    assert stopped.value.code == 2
    assert part in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_working_folder_is_not_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        tool.main(['.', '--overwrite'])
    assert 'OUT_ROOT' in capsys.readouterr().err
