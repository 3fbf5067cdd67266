"""The lines of an evaluation's folder, stated once; docs/log-format.md is made from them."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from . import fields as f

RECORDS, PREDICTIONS, META = 'records.jsonl', 'predictions.jsonl', 'meta.json'
UNLABELLED, UNLABELLED_16 = 255, 65535  # pixels without a label in maps of 8 and of 16 bits
MOST_LINES = 2 * 10**6
MOST_BYTES = {RECORDS: 2**20, PREDICTIONS: 2**24, META: 2**24}  # of a line; of the whole meta.json


class ModuleRecord(TypedDict, total=False):
    """What one iterative module did for one image; a RoI layer has MACs and the last two fields only.

    Over several calls (sliding windows, test-time augmentation) iterations and ponder cost are means,
    MACs are sums.
    """

    iterations_per_block: Annotated[f.BlockIterations, "of each block, in the network's order"]
    iterations: Annotated[f.Stages, "the same, summed over each stage's blocks"]
    total_iterations: Annotated[f.Iterations, 'their sum']
    ponder_cost: Annotated[f.Iterations | None, 'sum over blocks of N + R']
    num_calls: Annotated[f.Count, 'calls of the backbone for this image']
    input_size: Annotated[f.Size | None, "[H, W] of the first call's input in pixels, padding included"]
    macs: Annotated[f.Macs, 'multiply-adds of the backbone and the iterative RoI head']
    macs_lowest: Annotated[f.Macs, 'of the same calls and RoIs at one iteration a block']
    macs_full: Annotated[f.Macs, 'of the same calls and RoIs with every iteration run']
    macs_resnet: Annotated[f.Macs, 'of the same calls and RoIs in the plain ResNet of that shape']
    num_rois: Annotated[f.Count, 'C4: RoIs of the image']
    mean_roi_iterations: Annotated[f.Iterations | None, 'C4: mean iterations of its RoIs']


class IterationRecord(ModuleRecord, total=False):
    """One line of ``records.jsonl``: one image of one evaluation.

    Absent knowledge is null; NaN is never written. The fields of ``ModuleRecord`` are those of the
    backbone, MACs those of the iterative heads, too. Of several backbones iterations are one list, in
    the order of ``modules``; totals, ponder cost and MACs are sums; ``num_calls`` is the largest.
    """

    img_id: Annotated[f.Identifier | None, "the data set's, else the file's name, else the place in it"]
    img_path: Annotated[f.Text | None, 'file of the image']
    height: Annotated[f.Pixels | None, 'of the original image, pixels']
    width: Annotated[f.Pixels | None, 'of the original image, pixels']
    num_objects: Annotated[f.Count | None, 'annotated, not "difficult"; null without annotations']
    num_difficult: Annotated[f.Count | None, '"difficult" or otherwise ignored objects']
    mean_object_area: Annotated[f.Area | None, 'pixels of the original image']
    mean_relative_area: Annotated[f.Area | None, 'mean of object area over image area']
    class_names: Annotated[f.Names | None, 'classes of the counted objects']
    num_classes: Annotated[f.Count | None, 'segmentation: classes in the true label map']
    boundary_fraction: Annotated[f.Share | None, 'segmentation: share of labelled pixels at boundaries']
    miou: Annotated[f.Share | None, "segmentation: over the true map's classes, this image alone"]
    pixel_accuracy: Annotated[f.Share | None, 'segmentation: share of labelled pixels that are right']
    label: Annotated[f.Count | None, 'classification: true class, an index into `classes`']
    prediction: Annotated[f.Count | None, 'classification: predicted class']
    correct: Annotated[bool | None, 'classification: whether they are equal']
    confidence: Annotated[f.Number | None, "classification: the prediction's score"]
    scores: Annotated[
        dict[f.Name, f.Number | None], 'by name, what else an image scored in your own evaluation'
    ]
    modules: Annotated[dict[f.Name, ModuleRecord], 'what each of several did, by its path in the model']


class _TrueBoxes(TypedDict):
    boxes: Annotated[f.Boxes, '(xmin, ymin, xmax, ymax) in pixels of the original image, from 0']
    labels: Annotated[f.Labels, 'indices into `classes`']


class BoxList(_TrueBoxes, total=False):
    """Boxes of one image."""

    scores: Annotated[f.Scores, 'of predicted boxes']


class PredictionLine(TypedDict, total=False):
    """One line of ``predictions.jsonl``, of the image on that line of ``records.jsonl``."""

    img_id: Annotated[f.Identifier | None, 'as in the record']
    img_path: Annotated[f.Text | None, 'as in the record']
    exif_ignored: Annotated[bool, 'the file was read without turning it as its EXIF data say']
    true: Annotated[BoxList, 'annotated boxes']
    difficult: Annotated[BoxList, 'annotated boxes that do not count']
    predicted: Annotated[BoxList, 'predicted boxes']
    predicted_map: Annotated[f.Text, 'PNG file of class indices; 255 is no label, of 16 bits 65535']
    true_map: Annotated[f.Text, 'PNG file of the annotated classes']
    picture: Annotated[f.Text, 'PNG file of an image that is no file']


def identity(line: IterationRecord | PredictionLine) -> tuple[Any, Any]:
    """``img_id`` and ``img_path``: what tells an image from others."""
    return line.get('img_id'), line.get('img_path')
