"""The report of two detectors in a real browser."""

from __future__ import annotations

import pytest

from iterbackbone.report.evaluation import load_evaluations
from tests.support.browsing import move_to, opened, point_at, script, wait
from tests.support.logs import correlated, record, write_images, write_log

RIGHT, LEFT, HOME, ESCAPE = '\ue014', '\ue012', '\ue011', '\ue00c'  # as WebDriver names keys
HOSTILE = '</script><img src=x onerror="document.title=\'taken\'"><b>bold</b>'


@pytest.fixture(scope='module')
def page(browser, tmp_path_factory):
    """Two evaluations; the first has pictures and one hostile image."""
    root = tmp_path_factory.mktemp('report')
    records = correlated(40)
    records[0] = record(0, (3, 2, 6, 3), objects=1, img_id=HOSTILE, class_names=[HOSTILE])
    write_images(root, records)
    folders = [
        write_log(root / 'a', records, classes=[HOSTILE] * 3, score={HOSTILE: 0.5}),
        write_log(root / 'b', correlated(30, seed=1), score={HOSTILE: 0.4}),
    ]
    return opened(browser, root, load_evaluations(folders, [HOSTILE, 'b']))


def test_the_console_is_silent_and_the_charts_are_drawn(page):
    assert [entry for entry in page.get_log('browser') if entry['level'] != 'INFO'] == []
    charts = script(page, "return [...document.querySelectorAll('.chart')].map((c) => c.id)")
    assert charts == ['figure6a', 'figure6b', 'stages', 'figure4', 'tradeoff']
    for chart in charts:
        marks = 'document.querySelectorAll(`#${arguments[0]} .point`).length'
        assert script(page, f'return {marks}', chart) > 0, chart


STAGE_BARS = """
    const chart = document.getElementById('stages');
    const { xaxis4 } = chart._fullLayout;
    return [...chart.querySelectorAll('.x4y4 .point path')].map((bar) => {
      const { left, width } = bar.getBoundingClientRect();
      return xaxis4.p2c(left + width / 2 - chart.getBoundingClientRect().left - xaxis4._offset);
    });
"""


def test_bars_stand_at_their_number_of_iterations(page):
    """Of both evaluations, also where an image took 3 iterations and all others one."""
    bars = script(page, STAGE_BARS)
    assert sorted(bars) == pytest.approx([0.8, 1.2, 2.8], abs=0.02)


def test_no_button_uploads_anything(page):
    titles = "[...document.querySelectorAll('.modebar-btn')].map((b) => b.dataset.title)"
    assert set(script(page, f'return {titles}')) == {
        'Download plot as a PNG',
        'Zoom',
        'Pan',
        'Zoom in',
        'Zoom out',
        'Autoscale',
        'Reset axes',
    }


SHOWN = """
    const { data } = document.getElementById('figure6a');
    const hidden = [...document.querySelectorAll('[data-run]')].map((s) => s.hidden);
    const traces = data.map((t) => [t.legendgroup, t.visible !== false]);
    return [document.getElementById('shown').value, hidden, traces];
"""


def test_the_slider_shows_one_evaluation_from_least_to_most_compute(page):
    """By the keyboard, as a range input has it."""
    slider = page.find_element('id', 'runs')
    costs = []
    try:
        for _ in range(2):
            slider.send_keys(RIGHT)
            label, hidden, traces = script(page, SHOWN)
            run = hidden.index(False)
            assert hidden.count(False) == 1
            assert all(visible == (group == str(run)) for group, visible in traces)
            costs.append(float(label.split(', ')[-1].split()[0]))
        assert costs == sorted(costs)
    finally:
        slider.send_keys(HOME)
    label, hidden, traces = script(page, SHOWN)
    assert label == 'all evaluations'
    assert not any(hidden)
    assert all(visible for _, visible in traces)


def test_arrows_go_from_picture_to_picture(page):
    galleries = page.find_elements('css selector', '.gallery')
    cards = galleries[-1].find_elements('css selector', '.card')  # its images stand in others, too
    cards[0].click()
    wait(page, "document.getElementById('viewer').open")
    viewer = page.find_element('id', 'viewer')
    viewer.send_keys(RIGHT)
    assert viewer.get_attribute('data-image') == cards[1].get_attribute('data-image')
    viewer.send_keys(LEFT, LEFT)  # the first has nothing before it
    assert viewer.get_attribute('data-image') == cards[0].get_attribute('data-image')
    viewer.send_keys(ESCAPE)
    wait(page, "!document.getElementById('viewer').open")


@pytest.mark.parametrize('chart', ['figure6a', 'figure6b'])
def test_hovering_shows_the_image_and_clicking_opens_it(page, chart):
    x, y, key = point_at(page, chart, 5)
    move_to(page, x, y)
    wait(page, "!document.getElementById('tip').hidden")
    tip = "document.getElementById('tip')"
    shown = script(page, f'return [{tip}.innerText, {tip}.querySelector("img").naturalWidth]')
    expected = script(page, 'return imageOf(arguments[0])', key)
    assert f'{expected["total"]} iterations' in shown[0]
    assert shown[1] == 160  # the picture was decoded

    move_to(page, x, y, click=True)
    wait(page, "document.getElementById('viewer').open")
    boxes = 'document.querySelectorAll("#viewed rect.true").length'
    opened_key = script(page, "return document.querySelector('#viewed .note').textContent")
    assert opened_key.startswith('images/')
    assert script(page, f'return {boxes}') > 0
    script(page, "document.getElementById('viewer').close()")
    move_to(page, 5, 5)
    wait(page, "document.getElementById('tip').hidden")


def test_a_card_opens_with_labelled_boxes_inside_the_picture(page):
    # The hostile image took the most iterations: it is the first card of the hardest.
    script(page, "document.querySelectorAll('.gallery')[1].querySelector('.card').click()")
    wait(page, "document.getElementById('viewer').open")
    labels = "[...document.querySelectorAll('#viewed span')].map((s) => s.textContent)"
    assert script(page, f'return {labels}') == [f'{HOSTILE} 0.90', HOSTILE]
    inside = """
        const frame = document.querySelector('#viewed img').getBoundingClientRect();
        const rect = document.querySelector('#viewed rect.true').getBoundingClientRect();
        return [(rect.left - frame.left) / frame.width, (rect.right - frame.left) / frame.width,
                (rect.top - frame.top) / frame.height, (rect.bottom - frame.top) / frame.height];
    """
    # Its box is (0, 10, 40, 60) of 160 x 120.
    assert script(page, inside) == pytest.approx([0, 0.25, 10 / 120, 0.5], abs=0.01)
    script(page, "document.getElementById('viewer').close()")


def test_nothing_of_a_hostile_log_became_markup(page):
    assert script(page, 'return document.title') != 'taken'
    assert script(page, "return document.querySelectorAll('main b').length") == 3 * 2  # the legends
    assert script(page, "return document.querySelectorAll('script').length") == 3
    assert HOSTILE in script(page, "return document.querySelector('table').innerText")


OVERFLOWING = """
    return [...document.querySelectorAll('body *')]
      .filter((e) => !e.closest('.scroll, svg, dialog:not([open])'))
      .filter((e) => e.getBoundingClientRect().right > arguments[0] + 1)
      .map((e) => `${e.tagName} ${e.className}`)
"""
PLACE = """
    const { left, top, right, bottom, width } =
      document.querySelector(arguments[0]).getBoundingClientRect();
    return { inside: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight, width };
"""


@pytest.mark.parametrize(('width', 'most'), [(390, 2400), (1280, 1700)])
def test_the_page_fits_a_telephone_and_a_desk(page, width, most):
    metrics = dict(width=width, height=844, deviceScaleFactor=1, mobile=width < 600)
    page.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
    try:
        wait(page, f'document.documentElement.scrollWidth <= {width}')  # charts follow a little later
        assert script(page, OVERFLOWING, width) == []
        table = "document.querySelector('.runs')"
        assert script(page, f'return {table}.offsetHeight') < most  # one name has 60 letters
        cells = f"return [...{table}.querySelectorAll('th, td')].map((c) => c.offsetWidth)"
        assert min(script(page, cells)) > 60  # letters are not stacked
        wait(page, "document.querySelector('#figure6a .main-svg').clientWidth <= window.innerWidth")
        assert script(page, PLACE, '#figure6a')['width'] > min(width - 60, 500)

        script(page, "document.querySelector('.card').click()")
        wait(page, "document.getElementById('viewer').open")
        for part in ('#viewer', '#viewer button'):
            assert script(page, PLACE, part)['inside'], part
        page.find_element('css selector', '#viewer button').click()
        wait(page, "!document.getElementById('viewer').open")
    finally:
        page.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
