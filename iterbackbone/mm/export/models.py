"""Whole models as modules whose inputs and outputs are plain tensors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.resnet import IterativeResNet
from ...export import ExportForm, ExportOutputs
from ...export.form import reference

Run = Callable[[ExportForm, Tensor], ExportOutputs]


def acts_as(thing: object, base: str, *methods: str) -> bool:
    """Whether ``thing`` is of a class, such as 'mmdet.RPNHead', with these methods as they are there.

    By names: no toolbox need be imported for the models of others.
    """
    kinds = {f'{kind.__module__.split(".")[0]}.{kind.__name__}': kind for kind in type(thing).__mro__}
    return base in kinds and all(
        getattr(type(thing), name) is getattr(kinds[base], name) for name in methods
    )


class Preparation(nn.Module):
    """What mmdet's, mmseg's or mmpretrain's data preprocessor, if any, does to images, in the graph.

    Images are taken as loaded by OpenCV, in BGR, where it says so; ValueError for a fixed size.
    """

    def __init__(self, preprocessor: nn.Module | None) -> None:
        super().__init__()
        for name, default in (('mean', torch.zeros(3, 1, 1)), ('std', torch.ones(3, 1, 1))):
            self.register_buffer(name, getattr(preprocessor, name, default).clone())
        to_rgb = getattr(preprocessor, '_channel_conversion', getattr(preprocessor, 'to_rgb', False))
        self.flipped = not to_rgb
        test_cfg = getattr(preprocessor, 'test_cfg', None) or {}
        if size := test_cfg.get('size'):
            raise ValueError(
                f'data_preprocessor.test_cfg must have size_divisor instead of size, got {size}'
            )
        self.pad_value = float(getattr(preprocessor, 'pad_val', getattr(preprocessor, 'pad_value', 0)))
        # mmseg's pads in training only, unless its test_cfg says otherwise.
        mmseg = hasattr(preprocessor, 'seg_pad_val')
        divisor = 1 if mmseg else getattr(preprocessor, 'pad_size_divisor', 1)
        self.divisor = int(test_cfg.get('size_divisor') or divisor)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 in RGB -> (B, 3, H', W') float32, padded below and on the right."""
        x = image.float()
        x = (x.flip(1) if self.flipped else x).sub(self.mean).div(self.std)
        if self.divisor == 1:
            return x
        height, width = x.shape[-2:]
        padding = (0, -width % self.divisor, 0, -height % self.divisor)
        return F.pad(x, padding, value=self.pad_value)


class ExportedModel(nn.Module):
    """A model up to its neck: ``features_k``, one for each level; base of those exported whole.

    Args:
        model: On the CPU, in evaluation mode; TypeError if its backbone is no IterativeResNet.
        fixed: See :class:`~iterbackbone.export.ExportForm`.
        reason: Why the model is not exported whole.
    """

    task = 'features'
    batched = True  # whether several images may be given at once
    mask_threshold: float | None = None  # lowest probability of a mask's pixels
    highest_opset: int | None = None  # where ONNX Runtime lacks an operator of later ones

    def __init__(self, model: nn.Module, fixed: int | None = None, reason: str | None = None) -> None:
        super().__init__()
        backbone = getattr(model, 'backbone', None)
        if not isinstance(backbone, IterativeResNet):
            raise TypeError(f'model.backbone must be an IterativeResNet, got {type(backbone).__name__}')
        self.model = model
        self.preparation = Preparation(getattr(model, 'data_preprocessor', None))
        self.form = ExportForm(backbone, fixed)
        # Of all adaptive modules in the order they run; ``max_iterations`` is of their stages.
        self.forms = [self.form]
        self.reason = reason

    @property
    def outputs(self) -> list[str]:
        """Names of what :meth:`forward` returns."""
        return [*self.result_names, 'iterations', 'macs']

    @property
    def limits(self) -> tuple[int, ...]:
        """Highest iterations of each stage."""
        return tuple(limit for form in self.forms for limit in form.limits)

    def forward(
        self,
        image: Tensor,
        max_iterations: Tensor | None = None,
        halting_threshold: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """From (B, 3, H, W) uint8 in RGB to the results, iterations (B, K) int64 and MACs () float32.

        As of :class:`~iterbackbone.export.ExportForm`; ``max_iterations`` are of all ``forms`` in one.
        """
        stages = [len(form.limits) for form in self.forms]
        budgets = iter([None] * 2 if max_iterations is None else max_iterations.split(stages))
        return self.results(image, lambda form, x: form(x, next(budgets), halting_threshold))

    @torch.no_grad()
    def reference(self, image: Tensor) -> tuple[dict[str, Tensor], float]:
        """The same outputs, by name, by the adaptive modules' own execution, and the least margin."""
        margins = []

        def run(form: ExportForm, x: Tensor) -> ExportOutputs:
            outputs, margin = reference(form, x)
            margins.append(margin)
            return outputs

        return dict(zip(self.outputs, self.results(image, run), strict=True)), min(margins)

    def results(self, image: Tensor, run: Run) -> tuple[Tensor, ...]:
        """All ``outputs`` for the image of :meth:`forward`; ``run`` is how adaptive modules are run."""
        x = self.preparation(image)
        found = run(self.form, x)
        return (*self.finish(found.features, image, x), found.iterations, found.macs)

    @cached_property
    @torch.no_grad()
    def result_names(self) -> list[str]:
        """Of what :meth:`finish` returns. By a run: not all necks say how many levels they have."""
        levels = self.after_neck(self.form(torch.zeros(1, 3, 64, 64)).features)
        return [f'features_{k}' for k in range(len(levels))]

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """From the backbone's features to the results; ``x`` is the image as the backbone saw it."""
        return self.after_neck(features)

    def after_neck(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the heads take."""
        return self.model.neck(features) if getattr(self.model, 'with_neck', False) else features


class ExportedClassifier(ExportedModel):
    """mmpretrain's ImageClassifier: ``scores``, (B, classes) float32, which sum to 1."""

    task = 'classification'
    result_names = ['scores']

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__(model, fixed)
        if not acts_as(model.head, 'mmpretrain.ClsHead', '_get_predictions'):
            kind = type(model.head).__name__
            raise ValueError(f'head must name one class by a softmax, to be exported, got {kind}')

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        return (self.model.head(self.after_neck(features)).softmax(dim=1),)


class ExportedSegmentor(ExportedModel):
    """mmseg's EncoderDecoder, whole inference: ``label_map``, (B, H, W) uint8."""

    task = 'segmentation'
    result_names = ['label_map']

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__(model, fixed)
        head = model.decode_head
        if not acts_as(head, 'mmseg.BaseDecodeHead', 'predict', 'predict_by_feat'):
            kind = type(head).__name__
            raise ValueError(
                f'decode_head must predict as BaseDecodeHead does, to be exported, got {kind}'
            )
        if head.num_classes > 256:
            raise ValueError(f'num_classes must be at most 256 to be exported, got {head.num_classes}')
        if (mode := (model.test_cfg or {}).get('mode', 'whole')) != 'whole':
            raise ValueError(f"test_cfg.mode must be 'whole' to be exported, got {mode!r}")

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        head = self.model.decode_head
        logits = head(self.after_neck(features))
        size = x.shape[-2:]
        logits = F.interpolate(logits, size, mode='bilinear', align_corners=head.align_corners)
        logits = logits[..., : image.shape[-2], : image.shape[-1]]
        if logits.shape[1] > 1:
            labels = logits.argmax(dim=1)
        else:
            labels = (logits.sigmoid() > head.threshold).squeeze(1)
        return (labels.to(torch.uint8),)
