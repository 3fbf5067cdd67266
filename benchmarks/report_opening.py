"""How long a browser takes to open a report: headless chromium with chromium-driver.

Without --report the log is made up: pictures of noise, on which more objects mean more iterations.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from selenium import webdriver

from iterbackbone.log.meta_schema import SCHEMA_VERSION
from iterbackbone.log.parsing import to_line
from iterbackbone.log.schema import META, PREDICTIONS, RECORDS
from iterbackbone.report.analysis import analyze
from iterbackbone.report.evaluation import load_evaluations
from iterbackbone.timing import machine

LIMITS = [3, 4, 6, 3]
OPTIONS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--window-size=1280,1000',
)
TIMES = """
    const [page] = performance.getEntriesByType('navigation');
    const of = (name) => performance.getEntriesByName(name)[0].startTime;
    return { 'first paint': of('first-contentful-paint'), 'usable': of('usable'),
             'load event': page.loadEventEnd, 'charts drawn': performance.now(),
             'elements': document.querySelectorAll('*').length };
"""


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=5000, help='of the log that is made up')
    parser.add_argument('--report', type=Path, help='an existing report.html')
    parser.add_argument('--rounds', type=int, default=7, help='each in a browser of its own')
    parser.add_argument('--out', type=Path, help='JSON file')
    return parser.parse_args()


def made_up(rng, i):
    """The lines of an image, of which every object is a box that is found."""
    objects = int(rng.integers(1, 9))
    boxes = np.sort(rng.integers(0, 240, (objects, 2, 2)), axis=1).reshape(-1, 4) + [0, 0, 9, 9]
    iterations = [3, 2, int(np.clip(round(objects / 2 + rng.normal()), 1, 6)), 1]
    total, area = sum(iterations), float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).mean())
    names = {'img_id': f'{i:06d}', 'img_path': f'images/{i:06d}.jpg'}
    record = {
        **names,
        **dict(height=240, width=320, iterations=iterations, iterations_per_block=iterations),
        **dict(total_iterations=total, ponder_cost=total + float(rng.random()), num_calls=1),
        **dict(macs=10**8 * total, macs_lowest=4 * 10**8, macs_full=16 * 10**8, macs_resnet=17 * 10**8),
        **dict(num_objects=objects, num_difficult=0, class_names=['noise']),
        **dict(mean_object_area=area, mean_relative_area=area / (240 * 320)),
    }
    true = {'boxes': boxes.tolist(), 'labels': [0] * objects}
    return record, {**names, 'true': true, 'predicted': {**true, 'scores': [0.9] * objects}}


def make_report(folder, count):
    """report.html, as the tool writes it."""
    rng = np.random.default_rng(0)
    (folder / 'images').mkdir()
    lines = [made_up(rng, i) for i in range(count)]
    for record, _ in lines:
        noise = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        noise.resize((320, 240), Image.Resampling.BICUBIC).save(folder / record['img_path'])
    for name, part in zip((RECORDS, PREDICTIONS), zip(*lines, strict=True), strict=True):
        (folder / name).write_bytes(b''.join(map(to_line, part)))
    meta = dict(schema_version=SCHEMA_VERSION, task='detection', classes=['noise'])
    meta |= dict(max_iterations=LIMITS, blocks_per_stage=[1] * 4)
    (folder / META).write_bytes(to_line(meta))
    analyze(load_evaluations([folder]), folder / 'out', folder, 0.3)
    return folder / 'out' / 'report.html'


def opened(page):
    """Times of a browser that has never seen the page."""
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    options.binary_location = shutil.which('chromium')
    service = webdriver.ChromeService(shutil.which('chromedriver'))
    with webdriver.Chrome(options=options, service=service) as browser:
        browser.get(page.resolve().as_uri())
        browser.execute_async_script('requestAnimationFrame(() => setTimeout(arguments[0]))')
        return browser.execute_script(TIMES)


def main():
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = args.report or make_report(Path(folder), args.images)
        rounds, megabytes = [opened(page) for _ in range(args.rounds)], page.stat().st_size / 1e6
    for name in rounds[0]:
        median = statistics.median(each[name] for each in rounds)
        print(f'{name:12} {median:7.0f}' + ('' if name == 'elements' else ' ms'))
    print(f'{megabytes:.1f} MB, {machine()}, median of {args.rounds} browsers')
    if args.out:
        found = dict(images=args.images, megabytes=megabytes, machine=machine(), rounds=rounds)
        args.out.write_text(json.dumps(found, indent=1) + '\n')


if __name__ == '__main__':
    main()
