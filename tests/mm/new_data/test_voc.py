"""VOC's XML files and lists, and broken ones."""

from __future__ import annotations

import pytest

from tests.support.own_data import found, picture, xml_file

BOX = ('ring', (3, 4, 20, 20))


@pytest.fixture
def folder(tmp_path):
    for name in ('a', 'b', 'c'):
        picture(tmp_path / f'JPEGImages/{name}.jpg')
        xml_file(tmp_path / f'Annotations/{name}.xml', [BOX])
    return tmp_path


def lists(folder, **names):
    (folder / 'ImageSets/Main').mkdir(parents=True)
    for split, each in names.items():
        (folder / f'ImageSets/Main/{split}.txt').write_text('\n'.join(each) + '\n\n')


def splits(folder):
    dataset, wrong = found(folder)
    return {p.file.stem: p.split for p in dataset.pictures}, wrong


def test_without_lists_no_split_is_said(folder):
    assert splits(folder) == ({'a': '', 'b': '', 'c': ''}, {})


@pytest.mark.parametrize(
    ('listed', 'wanted'),
    [
        (dict(train='a', val='b', trainval='ab', test='c'), dict(a='train', b='val', c='test')),
        (dict(trainval='ab', test='c'), dict(a='train', b='train', c='test')),
        (dict(train='ab', val='c', test='c'), dict(a='train', b='train', c='val')),
    ],
)
def test_lists_say_the_split(listed, wanted, folder):
    lists(folder, **listed)
    assert splits(folder) == (wanted, {})


def test_lists_and_files_that_do_not_agree(folder):
    lists(folder, train='abx')
    assert splits(folder) == (
        dict(a='train', b='train'),
        {
            'picture in no list of ImageSets/Main, left out': ['c'],
            'picture in ImageSets/Main without an XML file that can be read': ['x'],
        },
    )


def test_pictures_and_xml_files_side_by_side(tmp_path):
    for split in ('train', 'test'):
        picture(tmp_path / split / 'same.png')
        xml_file(tmp_path / split / 'same.xml', [BOX])
    dataset, _ = found(tmp_path)
    assert {(p.split, p.file.parent.name) for p in dataset.pictures} == {
        ('train', 'train'),
        ('test', 'test'),
    }


@pytest.mark.parametrize(
    ('content', 'kind', 'pictures'),
    [
        ('<annotation><object>', 'broken XML file, left out', 3),
        ('', 'broken XML file, left out', 3),
        (b'\xff\xfe<', 'broken XML file, left out', 3),
        ('<annotation><object><name>ring</name></object></annotation>', 'broken box, left out', 4),
        (
            '<annotation><object><name>ring</name><bndbox><xmin>x</xmin></bndbox></object></annotation>',
            'broken box, left out',
            4,
        ),
    ],
)
def test_a_broken_file(content, kind, pictures, folder):
    picture(folder / 'JPEGImages/d.jpg')
    content = content if isinstance(content, bytes) else content.encode()
    (folder / 'Annotations/d.xml').write_bytes(content)
    dataset, wrong = found(folder)
    assert len(dataset.pictures) == pictures
    assert {kind: len(cases) for kind, cases in wrong.items()} == {kind: 1}


def test_a_box_without_a_name_and_a_missing_picture(folder):
    xml_file(folder / 'Annotations/a.xml', [BOX, ('', (3, 4, 9, 9))])
    (folder / 'JPEGImages/b.jpg').unlink()
    dataset, wrong = found(folder)
    assert dataset.classes == ['ring']
    assert {p.file.stem: len(p.boxes) for p in dataset.pictures} == dict(a=1, c=1)
    assert wrong.keys() == {'picture missing, left out', 'box without a class name, left out'}


def test_lists_may_name_files_and_begin_with_a_mark(folder):
    lists(folder, train=['\ufeffa.jpg', 'b.jpg'], val=['c'])
    assert splits(folder) == ({'a': 'train', 'b': 'train', 'c': 'val'}, {})


def test_the_file_that_an_xml_file_names(tmp_path):
    for name in ('rgb/1.jpg', 'depth/1.png'):
        picture(tmp_path / name)
    path = xml_file(tmp_path / 'annotations/1.xml', [BOX])
    path.write_text(
        path.read_text().replace('<size>', '<folder>rgb</folder><filename>1.jpg</filename><size>')
    )
    dataset, _ = found(tmp_path)
    assert [str(p.file.relative_to(tmp_path)) for p in dataset.pictures] == ['rgb/1.jpg']


def test_a_stated_folder_tells_pictures_of_one_name_apart(tmp_path):
    for name in ('train/1.jpg', 'val/1.jpg'):
        picture(tmp_path / name)
    for folder, stated in (('a', 'val/1.jpg'), ('b', 'train/1.jpg')):
        path = xml_file(tmp_path / folder / '1.xml', [BOX])
        path.write_text(path.read_text().replace('<size>', f'<filename>{stated}</filename><size>'))
    dataset, _ = found(tmp_path)
    assert [p.split for p in dataset.pictures] == ['val', 'train']


def test_the_split_may_be_that_of_the_pictures(tmp_path):
    for split, name in (('train', 'a'), ('val', 'b')):
        picture(tmp_path / f'images/{split}/{name}.jpg')
        xml_file(tmp_path / f'annotations/{name}.xml', [BOX])
    assert splits(tmp_path) == ({'a': 'train', 'b': 'val'}, {})


def test_problems_are_in_order(folder):
    names = [f'x{k:02}' for k in range(20)]
    lists(folder, train=['a', 'b', 'c', *names])
    assert splits(folder)[1]['picture in ImageSets/Main without an XML file that can be read'] == names


def test_a_picture_named_by_a_path_of_another_machine(folder):
    file = folder / 'Annotations/a.xml'
    stated = '<annotation><filename>/home/someone/JPEGImages/a.jpg</filename>'
    file.write_text(file.read_text().replace('<annotation>', stated))
    assert splits(folder) == ({'a': '', 'b': '', 'c': ''}, {})
