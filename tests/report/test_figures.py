"""The picture of score and time against the share of the MACs."""

from __future__ import annotations

from iterbackbone.report.figures import budget_figure
from iterbackbone.report.measures import main_score


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
