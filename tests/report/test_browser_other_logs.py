"""In a real browser: reports of other tasks, without pictures and of many images."""

from __future__ import annotations

import base64

from iterbackbone.report.evaluation import load_evaluations
from tests.support.browsing import move_to, opened, point_at, script, wait
from tests.support.logs import PALETTE, classified, correlated, segmented, write_images, write_log


def test_a_log_without_pictures_opens_too(browser, tmp_path):
    page = opened(browser, tmp_path, load_evaluations([write_log(tmp_path / 'a', correlated(10))]))
    x, y, _ = point_at(page, 'figure6a', 0)
    move_to(page, x, y, click=True)
    wait(page, "document.getElementById('viewer').open")
    assert 'holds no picture' in script(page, "return document.getElementById('viewed').innerText")
    assert [entry for entry in page.get_log('browser') if entry['level'] != 'INFO'] == []


def test_arrows_leave_a_picture_that_is_in_no_gallery(browser, tmp_path):
    records = correlated(30)
    write_images(tmp_path, records)
    page = opened(browser, tmp_path, load_evaluations([write_log(tmp_path / 'a', records)]))
    alone = """
        const key = Object.keys(runs[0]).map((i) => `0/${i}`)
          .find((k) => !document.querySelector(`.card[data-image="${k}"]`));
        viewer.card = null;
        show(key);
        return Number(key.split('/')[1]);
    """
    first, seen = script(page, alone), []
    for key in ('ArrowRight', 'ArrowLeft', 'ArrowLeft'):
        script(page, "viewer.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0] }))", key)
        seen.append(script(page, 'return viewer.dataset.image'))
    assert seen == [f'0/{first + 1}', f'0/{first}', f'0/{first - 1}']


def test_cards_of_a_classifier_show_the_classes(browser, tmp_path):
    page = opened(browser, tmp_path, load_evaluations([classified(tmp_path)]))
    assert script(page, "return [...document.querySelectorAll('.chart')].map((c) => c.id)") == [
        'stages',
        'figure4',
    ]
    card = "[...document.querySelector('.card').querySelectorAll('p')].map((p) => p.textContent)"
    assert script(page, f'return {card}')[1:] == ['true circle, predicted circle 0.88']
    script(page, "document.querySelector('.card').click()")
    wait(page, "document.getElementById('viewer').open")
    shown = script(page, "return document.getElementById('viewed').innerText")
    assert 'true circle, predicted circle 0.88' in shown
    assert [entry for entry in page.get_log('browser') if entry['level'] != 'INFO'] == []


def test_label_maps_open_with_their_legend(browser, tmp_path):
    folder = segmented(tmp_path, count=4, palette=PALETTE)
    page = opened(browser, tmp_path, load_evaluations([folder]))
    script(page, "document.querySelector('.card').click()")
    wait(page, "document.getElementById('viewer').open")
    maps = "[...document.querySelectorAll('#viewed .map')].map((m) => m.innerText.trim())"
    assert script(page, f'return {maps}') == ['true', 'predicted']
    widths = "[...document.querySelectorAll('#viewed .map img')].map((m) => m.naturalWidth)"
    assert script(page, f'return {widths}') == [3, 3]
    names = "[...document.querySelectorAll('.names span')].map((s) => s.textContent)"
    assert script(page, f'return {names}') == ['sky', 'car']
    assert [entry for entry in page.get_log('browser') if entry['level'] != 'INFO'] == []


DRAWN = """
    const drawn = (all) => [...document.querySelectorAll(all)].filter((e) => e.children.length).length;
    return { cards: drawn('.card'), charts: drawn('.chart'), pictures: document.images.length,
             elements: document.querySelectorAll('*').length };
"""


def test_only_what_is_near_the_screen_is_made(browser, tmp_path):
    """Thumbnails, cards and charts wait until they are seen, however many images there are."""
    found = []
    for count in (60, 120):
        root = tmp_path / str(count)
        records = correlated(count)
        write_images(root, records)
        evaluations = load_evaluations([write_log(root / 'log', records)])
        page = opened(browser, root, evaluations, drawn=False)
        wait(page, "document.querySelector('#figure6a .main-svg')")
        found.append(script(page, DRAWN))
    for each in found:
        assert (each['cards'], each['pictures']) == (0, 0)
        assert each['charts'] < 5
    assert found[1]['elements'] - found[0]['elements'] < 3 * 60  # points of two charts
    script(page, "document.querySelector('.gallery').scrollIntoView()")
    wait(page, "document.querySelector('.card img')?.naturalWidth === 160")
    pdf = base64.b64decode(page.execute_cdp_cmd('Page.printToPDF', {})['data'])
    assert pdf.count(b'/Subtype /Image') >= 24  # the cards' pictures
    assert script(page, DRAWN)['charts'] == 4
    assert script(page, DRAWN)['cards'] == 24
    assert [entry for entry in page.get_log('browser') if entry['level'] != 'INFO'] == []
