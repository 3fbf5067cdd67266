"""``meta.json`` of an evaluation's folder, stated once."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from . import fields as f

SCHEMA_VERSION = 2  # 2: `modules`; where a model has one backbone, all other fields are those of 1
Metric = bool | f.Number | f.Text | f.Numbers | None  # of an evaluator


class MacTableFields(TypedDict, total=False):
    """MACs of one image or RoI at one input size."""

    input_size: Annotated[f.Size, '[H, W], pixels']
    fixed: Annotated[f.Macs, 'stem and transitions']
    per_iteration: Annotated[f.BlockMacs, 'of one iteration of each block']
    per_score: Annotated[f.BlockMacs, "of one call of each block's halting unit"]
    max_iterations: Annotated[f.Blocks, 'of each block']
    lowest: Annotated[f.Macs, 'one iteration everywhere']
    highest: Annotated[f.Macs, 'all iterations']


class BudgetFields(TypedDict, total=False):
    """A runtime budget."""

    caps: Annotated[f.StageSizes | None, 'most iterations of each stage']
    threshold: Annotated[f.Share | None, 'sum of scores at which a row halts']
    share: Annotated[f.Share | None, 'of the full MACs']


class _Blocks(TypedDict):
    max_iterations: Annotated[f.Blocks, 'L of each block']
    blocks_per_stage: Annotated[f.StageSizes, 'of each stage']


class ModuleMeta(_Blocks, total=False):
    """One evaluated iterative module."""

    budget: Annotated[BudgetFields | None, 'null of several modules']
    receptive_field: Annotated[f.Fields | None, 'of each stage at one iteration and at all, pixels']
    mac_table: Annotated[MacTableFields | None, "at the last image's input size"]


class DatasetFields(TypedDict, total=False):
    """The evaluated data set."""

    type: Annotated[f.Name, 'class of the data set']
    ann_file: Annotated[f.Text | None, 'its annotations']
    num_images: Annotated[f.Count, 'images, or frames']
    crowds: Annotated[bool, 'whether its "difficult" boxes are COCO\'s crowds']


class TimeFields(TypedDict, total=False):
    """How long an image took, from loaded data to updated metric."""

    milliseconds_per_image: Annotated[f.Number, 'median over the batches']
    batch_size: Annotated[f.Count, 'largest']
    device: Annotated[f.Name, 'cpu, or the name of the GPU']
    threads: Annotated[f.Count, 'of torch']


class Counterpart(TypedDict, total=False):
    """The plain ResNet of the backbone's shape; in a C4 detector with the RoI head's stage."""

    name: Annotated[f.Name, 'such as ResNet-152']
    parameters: Annotated[f.Macs, 'without classifier']


class _Required(TypedDict):
    schema_version: Annotated[Literal[1, 2], 'of this format; 1 has no `modules`']
    classes: Annotated[f.Names, 'by label']


class EvaluationMeta(_Required, ModuleMeta, total=False):
    """Model, data and score of one evaluation.

    The fields of ``ModuleMeta`` are those of the backbone. Of several backbones, or RoI layers, lists
    are one behind the other and the rest is null.
    """

    task: Annotated[
        Literal['detection', 'segmentation', 'classification'] | None, 'null where it is unknown'
    ]
    model: Annotated[f.Name, 'class of the model']
    config: Annotated[f.Text | None, 'file of the config']
    checkpoint: Annotated[f.Text | None, 'the file that was loaded; null for weights of this training']
    epoch: Annotated[f.Count, 'of the weights; 0 where nothing says it']
    iter: Annotated[f.Count, 'training steps of the weights']
    palette: Annotated[f.Palette | None, 'red, green, blue of each class']
    parameters: Annotated[
        dict[f.Name, f.Macs], '`total` of the model, and of its `backbone`; none under FSDP'
    ]
    resnet: Annotated[Counterpart | None, 'what the MACs of the records are compared with']
    modules: Annotated[dict[f.Name, ModuleMeta], 'of each evaluated module, by its path']
    roi_max_iterations: Annotated[f.Blocks, 'C4: as above, of the RoI layer']
    roi_blocks_per_stage: Annotated[f.StageSizes, 'C4']
    roi_budget: Annotated[BudgetFields | None, 'C4']
    roi_receptive_field: Annotated[f.Fields | None, 'C4']
    roi_mac_table: Annotated[MacTableFields | None, 'C4']
    dataset: Annotated[DatasetFields, 'what was evaluated']
    score: Annotated[dict[f.Name, Metric], "the evaluator's metrics"]
    time: Annotated[TimeFields | None, 'null of an empty evaluation']
