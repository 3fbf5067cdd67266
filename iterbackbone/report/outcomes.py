"""What became of a classified image, in words."""

from __future__ import annotations

from .evaluation import Evaluation


def outcome(evaluation: Evaluation, i: int) -> str | None:
    """Such as ``true cat, predicted dog 0.87``; None of an image that was not classified."""
    record = evaluation.records[i]
    label, prediction = record.get('label'), record.get('prediction')
    if prediction is None:
        return None
    true = '' if label is None else f'true {evaluation.class_name(label)}, '
    confidence = record.get('confidence')
    score = '' if confidence is None else f' {confidence:.2f}'
    return f'{true}predicted {evaluation.class_name(prediction)}{score}'
