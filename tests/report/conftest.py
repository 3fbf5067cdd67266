"""Reports made quickly, and a real browser: Debian's chromium and chromium-driver.

CHROMIUM and CHROMEDRIVER name other programs. Without them what asks for it is skipped.
"""

from __future__ import annotations

import os
import shutil

import pytest

from iterbackbone.report import analysis
from iterbackbone.stats import association

OPTIONS = (
    '--headless=new',
    '--no-sandbox',  # as root there is none
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--window-size=1280,1000',
)


@pytest.fixture(scope='package', autouse=True)
def _few_resamples():
    """No test of a report is about their number, which takes seconds a report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, 'PERMUTATIONS', 99)
        patch.setattr(association, 'BOOTSTRAP_RESAMPLES', 200)
        yield


@pytest.fixture
def undrawn(monkeypatch):
    """Reports whose PNG files are empty, for who does not look at them: they take seconds."""
    monkeypatch.setattr(analysis, '_png', lambda figure: b'')


@pytest.fixture(scope='package')
def browser():
    webdriver = pytest.importorskip('selenium.webdriver')
    programs = {
        name: shutil.which(os.environ.get(name.upper(), name)) for name in ('chromium', 'chromedriver')
    }
    if None in programs.values():
        pytest.skip(f'no browser: {programs} (CHROMIUM and CHROMEDRIVER name the programs)')
    options = webdriver.ChromeOptions()
    options.binary_location = programs['chromium']
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(programs['chromedriver'])
    )
    yield driver
    driver.quit()
