"""Figure 6, and the picture of score and time against the share of the MACs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iterbackbone.report.charts import errors, stages
from iterbackbone.report.evaluation import load_evaluation
from iterbackbone.report.figures import budget_figure, figure6, printed
from iterbackbone.report.measures import main_score
from iterbackbone.report.summary import summarise
from tests.support.logs import correlated, record, write_log


def test_correlations_of_figure_6_stand_above_it(tmp_path):
    """Why there is no correlation is a long sentence."""
    records = [record(i, objects=i) for i in range(5)]  # all have the same number of iterations
    names = ('all_iterations', 'at_most_one_iteration_a_stage')
    logs = [load_evaluation(write_log(tmp_path / name, records)) for name in names]
    figure = figure6(logs, [summarise(log) for log in logs])
    figure.draw_without_rendering()
    title = figure.texts[0].get_window_extent()
    assert 0 < title.x0 < title.x1 < figure.bbox.width
    assert title.y0 > max(axes.get_window_extent().y1 for axes in figure.axes)
    assert figure.get_suptitle().count('number of objects: rho undefined') == 2


def test_no_line_above_figure_6_ends_within_an_interval(tmp_path):
    log = load_evaluation(write_log(tmp_path / 'log', correlated(20)))
    for length in range(40, 80, 6):
        named = [replace(log, name='x' * length), replace(log, name='second')]
        above = figure6(named, [summarise(each) for each in named]).get_suptitle()
        assert all(line.count('[') == line.count(']') for line in above.splitlines())
        assert above.count('[') == 2


def test_without_names_there_is_no_legend(tmp_path):
    log = load_evaluation(write_log(tmp_path / 'log', [record(0)]))
    assert printed([stages([summarise(log)])]).legends == []


def test_a_panel_for_score_and_time():
    scores, times = [20.0, 22.5, 23.0], [4.0, 7.0, 9.0]
    figure = budget_figure([0.25, 0.5, 1.0], ('mIoU', scores), times, '10 images_$x$')
    for axes, values in zip(figure.axes, (scores, times), strict=True):
        best, curve = axes.lines
        assert set(best.get_ydata()) == {values[-1]}
        assert list(curve.get_xdata()) == [25.0, 50.0, 100.0]
        assert list(curve.get_ydata()) == values
    assert [axes.get_ylabel() for axes in figure.axes] == ['mIoU', 'ms per image, median']
    assert figure.axes[1].get_ylim()[0] == 0
    assert figure.get_suptitle() == r'10 images_\$x\$'


def test_the_main_score_is_one_that_all_have():
    assert main_score([{'aAcc': 1, 'mIoU': 2}, {'mIoU': 3, 'aAcc': 1}]) == 'mIoU'
    assert main_score([{'own': 1, 'mIoU': 2}, {'own': 3}]) == 'own'
    assert main_score([{'a': 1}, {'b': 1}]) is None


@pytest.mark.parametrize('runs', [1, 2, 9])
def test_figure_6_keeps_room_for_its_points(tmp_path, runs):
    name = 'fcos_efficientnet-lite0-iterative_fpn_voc0712-subset test_epoch_{}'
    logs = [
        load_evaluation(write_log(tmp_path / name.format(k), [record(i) for i in range(20)]))
        for k in range(runs)
    ]
    figure = figure6(logs, [summarise(log) for log in logs])
    figure.draw_without_rendering()
    left = figure.axes[0].get_window_extent()
    (legend,) = figure.legends
    assert left.height > 2.5 * figure.dpi
    below = legend.get_window_extent()
    assert below.y1 < left.y0
    assert 0 <= below.x0 < below.x1 <= figure.bbox.width


@pytest.mark.parametrize('chart', [errors, stages])
def test_long_names_take_no_room_from_the_axes(tmp_path, chart):
    """A legend inside them is wider than they are, and their layout would make room for it."""
    name = 'fcos_efficientnet-lite0-iterative_fpn_voc0712-subset test_epoch_12 at a share of {}'
    logs = [load_evaluation(write_log(tmp_path / str(k), [record(0)]), name.format(k)) for k in (1, 2)]
    figure = printed([chart([summarise(log) for log in logs])])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    below = legend.get_window_extent()
    assert 0 <= below.x0 < below.x1 <= figure.bbox.width
    for axes in figure.axes:
        assert below.y1 < axes.get_window_extent().y0
        assert axes.get_window_extent().width > 0.8 * figure.bbox.width / len(figure.axes)
