"""A report in a browser: opened, pointed at, asked."""

from __future__ import annotations

from unittest.mock import patch

from iterbackbone.report import analysis


def opened(browser, folder, evaluations, panel=None, drawn=True):
    """Write the report, open it, wait until its script has run; draw what is off the screen, too."""
    from selenium.webdriver.support.ui import WebDriverWait

    with patch.object(analysis, '_png', lambda figure: b''):  # the page shows none of those files
        analysis.analyze(evaluations, folder / 'out', folder, 0.3, panel)
    browser.get_log('browser')
    browser.get((folder / 'out' / 'report.html').as_uri())
    WebDriverWait(browser, 30).until(
        lambda b: b.execute_script('return document.body.dataset.ready') == 'true'
    )
    if drawn:
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    return browser


def script(page, code, *args):
    return page.execute_script(code, *args)


def point_at(page, chart, number):
    """Screen position of a point of a chart's first trace, scrolled into view."""
    return script(
        page,
        """
        const chart = document.getElementById(arguments[0]);
        chart.scrollIntoView({ block: 'center' });
        const { xaxis, yaxis } = chart._fullLayout;
        const trace = chart._fullData[0];
        const place = chart.getBoundingClientRect();
        const along = (axis, value) =>
          axis._offset + axis.c2p(axis.type === 'log' ? axis.d2c(value) : value);
        return [place.x + along(xaxis, trace.x[arguments[1]]),
                place.y + along(yaxis, trace.y[arguments[1]]),
                trace.customdata[arguments[1]]];
        """,
        chart,
        number,
    )


def move_to(page, x, y, click=False):
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    actions = ActionBuilder(page)
    actions.pointer_action.move_to_location(round(x) - 3, round(y))
    actions.pointer_action.move_to_location(round(x), round(y))
    actions.perform()
    if click:
        actions = ActionBuilder(page)
        actions.pointer_action.click()
        actions.perform()


def wait(page, code):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 10).until(lambda b: script(b, f'return {code}'), code)
