"""``meta.json`` of an evaluation's folder, stated once."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from . import fields as f
from .fields import about

SCHEMA_VERSION = 2  # 2: `modules`; where a model has one backbone, all other fields are those of 1
Metric = bool | f.Number | f.Text | f.Numbers | None  # of an evaluator


class MacTableFields(TypedDict, total=False):
    """MACs of one image or RoI at one input size."""

    input_size: Annotated[f.Size, about('[H, W], pixels')]
    fixed: Annotated[f.Macs, about('stem and transitions')]
    per_iteration: Annotated[f.BlockMacs, about('of one iteration of each block')]
    per_score: Annotated[f.BlockMacs, about("of one call of each block's halting unit")]
    max_iterations: Annotated[f.Blocks, about('of each block')]
    lowest: Annotated[f.Macs, about('one iteration everywhere')]
    highest: Annotated[f.Macs, about('all iterations')]


class BudgetFields(TypedDict, total=False):
    """A runtime budget."""

    caps: Annotated[f.StageSizes | None, about('most iterations of each stage')]
    threshold: Annotated[f.Share | None, about('sum of scores at which a row halts')]
    share: Annotated[f.Share | None, about('of the full MACs')]


class _Blocks(TypedDict):
    max_iterations: Annotated[f.Blocks, about('L of each block')]
    blocks_per_stage: Annotated[f.StageSizes, about('of each stage')]


class ModuleMeta(_Blocks, total=False):
    """One evaluated iterative module."""

    budget: Annotated[BudgetFields | None, about('null of several modules')]
    receptive_field: Annotated[
        f.Fields | None, about('of each stage at one iteration and at all, pixels')
    ]
    mac_table: Annotated[MacTableFields | None, about("at the last image's input size")]


class DatasetFields(TypedDict, total=False):
    """The evaluated data set."""

    type: Annotated[f.Name, about('class of the data set')]
    ann_file: Annotated[f.Text | None, about('its annotations')]
    num_images: Annotated[f.Count, about('images, or frames')]
    crowds: Annotated[bool, about('whether its "difficult" boxes are COCO\'s crowds')]


class TimeFields(TypedDict, total=False):
    """How long an image took, from loaded data to updated metric."""

    milliseconds_per_image: Annotated[f.Number, about('median over the batches')]
    batch_size: Annotated[f.Count, about('largest')]
    device: Annotated[f.Name, about('cpu, or the name of the GPU')]
    threads: Annotated[f.Count, about('of torch')]


class Counterpart(TypedDict, total=False):
    """The plain ResNet of the backbone's shape; in a C4 detector with the RoI head's stage."""

    name: Annotated[f.Name, about('such as ResNet-152')]
    parameters: Annotated[f.Macs, about('without classifier')]


class _Required(TypedDict):
    schema_version: Annotated[Literal[1, 2], about('of this format; 1 has no `modules`')]
    classes: Annotated[f.Names, about('by label')]


class EvaluationMeta(_Required, ModuleMeta, total=False):
    """Model, data and score of one evaluation.

    The fields of ``ModuleMeta`` are those of the backbone. Of several backbones, or RoI layers, lists
    are one behind the other and the rest is null.
    """

    task: Annotated[
        Literal['detection', 'segmentation', 'classification'] | None, about('null where it is unknown')
    ]
    model: Annotated[f.Name, about('class of the model')]
    config: Annotated[f.Text | None, about('file of the config')]
    checkpoint: Annotated[
        f.Text | None, about('the file that was loaded; null for weights of this training')
    ]
    epoch: Annotated[f.Count, about('of the weights; 0 where nothing says it')]
    iter: Annotated[f.Count, about('training steps of the weights')]
    palette: Annotated[f.Palette | None, about('red, green, blue of each class')]
    parameters: Annotated[
        dict[f.Name, f.Macs], about('`total` of the model, and of its `backbone`; none under FSDP')
    ]
    resnet: Annotated[Counterpart | None, about('what the MACs of the records are compared with')]
    modules: Annotated[dict[f.Name, ModuleMeta], about('of each evaluated module, by its path')]
    roi_max_iterations: Annotated[f.Blocks, about('C4: as above, of the RoI layer')]
    roi_blocks_per_stage: Annotated[f.StageSizes, about('C4')]
    roi_budget: Annotated[BudgetFields | None, about('C4')]
    roi_receptive_field: Annotated[f.Fields | None, about('C4')]
    roi_mac_table: Annotated[MacTableFields | None, about('C4')]
    dataset: Annotated[DatasetFields, about('what was evaluated')]
    score: Annotated[dict[f.Name, Metric], about("the evaluator's metrics")]
    time: Annotated[TimeFields | None, about('null of an empty evaluation')]
