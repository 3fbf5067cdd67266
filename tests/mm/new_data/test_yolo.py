"""YOLO's lines and names, and broken ones."""

from __future__ import annotations

import pytest

from tests.support.own_data import found, picture

GOOD = '1 0.5 0.5 0.5 0.4'


@pytest.fixture
def folder(tmp_path):
    picture(tmp_path / 'images/train/a.jpg')
    (tmp_path / 'labels/train').mkdir(parents=True)
    (tmp_path / 'data.yaml').write_text('names: [ring, star]')
    return tmp_path


def read(folder, *lines):
    (folder / 'labels/train/a.txt').write_text('\n'.join([GOOD, *lines]))
    dataset, wrong = found(folder)
    return dataset, {kind: cases for kind, cases in wrong.items() if 'class without' not in kind}


def test_a_line_is_class_centre_and_size(folder):
    dataset, wrong = read(folder)
    (only,) = dataset.pictures
    assert (only.split, only.boxes, wrong) == ('train', [('star', (10, 9, 20, 12), False)], {})


def test_a_polygon_gives_its_box(folder):
    dataset, wrong = read(folder, '0 0.25 0.5 0.5 0.9 0.75 0.5')
    assert dataset.pictures[0].boxes[1] == ('ring', (10, 15, 20, 12), False)
    assert wrong == {}


def test_a_picture_without_a_file_is_background(folder):
    picture(folder / 'images/train/b.jpg')
    dataset, wrong = read(folder)
    assert {p.file.name: len(p.boxes) for p in dataset.pictures} == {'a.jpg': 1, 'b.jpg': 0}
    assert wrong == {}


def test_a_label_without_a_picture_is_counted(folder):
    (folder / 'labels/train/lost.txt').write_text(' 0 1e-05 0.5 0.3 0.3')
    (folder / 'labels/train/.ipynb_checkpoints').mkdir()
    for name in ('matrix.txt', 'labels/train/.ipynb_checkpoints/a.txt'):
        (folder / name).write_text(GOOD)
    for name in ('README.txt', 'labels/train/empty.txt'):
        (folder / name).write_text('1 word' if name == 'README.txt' else '')
    _, wrong = read(folder)
    assert wrong == {'picture missing, left out': [str(folder / 'labels/train/lost.txt')]}


def test_an_archive_may_have_a_folder_of_its_own(folder, tmp_path_factory):
    (folder / 'args.yaml').write_text('epochs: 3')
    above = tmp_path_factory.mktemp('unpacked')
    folder.rename(above / 'export')
    dataset, _ = read(above / 'export')
    again, _ = found(above)
    assert again.pictures == dataset.pictures


@pytest.mark.parametrize('names', ['3', 'true', '1.5', '"ring"'])
def test_names_that_are_no_list(folder, names):
    (folder / 'data.yaml').write_text(f'names: {names}')
    with pytest.raises(ValueError, match=r'data\.yaml must list the classes as names, by number, got'):
        read(folder)


@pytest.mark.parametrize(
    ('line', 'kind'),
    [
        ('0 0.5 0.5 0.2', 'broken line, left out'),
        ('0 0.5 0.5 0.2 0.2 0.9', 'broken line, left out'),
        ('ring 0.5 0.5 0.2 0.2', 'broken line, left out'),
        ('inf 0.5 0.5 0.2 0.2', 'broken line, left out'),
        ('\x00\x01', 'broken line, left out'),
        ('2 0.5 0.5 0.2 0.2', 'box of an unknown class, left out'),
        ('0 nan 0.5 0.2 0.2', 'broken box, left out'),
        ('0 20 15 10 8', 'box outside the picture, left out'),
    ],
)
def test_a_bad_line(line, kind, folder):
    dataset, wrong = read(folder, line, '')
    assert [box.name for box in dataset.pictures[0].boxes] == ['star']
    assert {kind: len(cases) for kind, cases in wrong.items()} == {kind: 1}


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('data.yaml', 'names: {0: ring, 1: star}'),
        ('classes.txt', 'ring\nstar\n'),
        ('labels/obj.names', 'ring\nstar'),
    ],
)
def test_names_of_the_classes(name, text, folder):
    (folder / 'data.yaml').unlink()
    (folder / name).write_text(text)
    assert read(folder)[0].classes == ['star']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'needs data.yaml or classes.txt'),
        ('names: [', 'data.yaml must be YAML of plain values'),
        ('names: !!python/object/apply:os.getcwd []', 'data.yaml must be YAML of plain values'),
        ('nc: 3', 'needs data.yaml or classes.txt'),
        ('names: ring', 'data.yaml must list the classes as names'),
        ('names: {a: b}', 'data.yaml must list the classes as names'),
    ],
)
def test_without_names_there_is_an_error(text, message, folder):
    (folder / 'data.yaml').unlink() if text is None else (folder / 'data.yaml').write_text(text)
    with pytest.raises(ValueError, match=message):
        read(folder)


def test_key_points_behind_a_box_are_left_out(folder):
    (folder / 'data.yaml').write_text('names: [ring, star]\nkpt_shape: [2, 2]')
    dataset, wrong = read(folder, '0 0.5 0.5 0.5 0.4 0.9 0.9 0.1 0.1')
    assert dataset.pictures[0].boxes[1] == ('ring', (10, 9, 20, 12), False)
    assert wrong == {}


def test_byte_order_marks_and_other_yaml_files(folder):
    (folder / 'args.yaml').write_text('epochs: 3')
    (folder / 'data.yaml').write_text('\ufeffnames: [ring, star]')
    (folder / 'labels/train/a.txt').write_text(f'\ufeff{GOOD}')
    dataset, wrong = found(folder)
    assert [box.name for box in dataset.pictures[0].boxes] == ['star']
    assert set(wrong) == {'class without a box or picture, left out'}
    (folder / 'data.yaml').unlink()
    (folder / 'classes.txt').write_text('\ufeffring\n\nstar')
    assert read(folder, '2 0.5 0.5 0.5 0.4', '0 0.5 0.5 0.1 0.1')[0].classes == ['ring', 'star']


@pytest.mark.parametrize('name', ['data.yaml', 'classes.txt'])
def test_names_in_another_encoding_are_an_error(name, folder):
    (folder / 'data.yaml').unlink()
    (folder / name).write_bytes('names: [né]'.encode('latin-1'))
    with pytest.raises(ValueError, match=f'{name} must be text in UTF-8'):
        read(folder)
