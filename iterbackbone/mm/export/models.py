"""Whole models as modules whose inputs and outputs are plain tensors."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...core.macs import mac_table
from ...core.resnet import IterativeResNet
from ...core.trace import HaltingTrace
from ...export import ExportForm
from .preparation import Preparation


class ExportedModel(nn.Module):
    """Base: preparation of the image, adaptive backbone, then what :meth:`finish` does.

    Args:
        model: In evaluation mode.
        fixed: See :class:`~iterbackbone.export.ExportForm`.

    Attributes:
        outputs: Names of what :meth:`forward` returns.

    Raises:
        TypeError: the model's backbone is no IterativeResNet.
    """

    task = 'backbone'
    batched = True  # whether several images may be given at once
    reason: str | None = None  # why the model is not exported whole
    highest_opset: int | None = None  # where ONNX Runtime lacks an operator of later ones

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__()
        backbone = getattr(model, 'backbone', None)
        if not isinstance(backbone, IterativeResNet):
            raise TypeError(f'model.backbone must be an IterativeResNet, got {type(backbone).__name__}')
        self.model = model
        self.preparation = Preparation(getattr(model, 'data_preprocessor', None))
        self.form = ExportForm(backbone, fixed)

    @property
    def outputs(self) -> list[str]:
        return [*self.result_names(), 'iterations', 'macs']

    def forward(
        self,
        image: Tensor,
        max_iterations: Tensor | None = None,
        halting_threshold: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """The task's results, iterations (B, K) int64 and executed MACs of the backbone () float32.

        Args:
            image: (B, 3, H, W) uint8 in RGB.
            max_iterations, halting_threshold: See :class:`~iterbackbone.export.ExportForm`.
        """
        x = self.preparation(image)
        features, iterations, macs = self.form(x, max_iterations, halting_threshold)
        return (*self.finish(features, image, x), iterations, macs)

    @torch.no_grad()
    def reference(self, image: Tensor) -> tuple[dict[str, Tensor], float]:
        """The same outputs by the backbone's own execution, and the margin of its decisions.

        Args:
            image: As of :meth:`forward`.

        Returns:
            Outputs by name, and the least distance of a sum of halting scores to the threshold.
        """
        x = self.preparation(image)
        backbone = self.form.network
        backbone.record_scores()
        try:
            results = self.finish(backbone(x), image, x)
            trace = backbone.trace
        finally:
            backbone.record_scores(False)
        table = mac_table(backbone, (x.shape[-2], x.shape[-1]))
        macs = table.total(trace.iterations.amax(dim=0).tolist(), trace.limits)
        values = (*results, trace.iterations, torch.tensor(float(macs)))
        return dict(zip(self.outputs, values, strict=True)), margin(trace, self.form.threshold)

    def result_names(self) -> list[str]:
        """What :meth:`finish` returns."""
        return [f'features_{k}' for k in self.form.network.out_indices]

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """From the backbone's features to the task's results.

        Args:
            features: Of the backbone.
            image: As given.
            x: As the backbone saw it.
        """
        return features


def margin(trace: HaltingTrace, threshold: float) -> float:
    """Least distance of a sum of halting scores to ``threshold``; infinite where none was read."""
    assert trace.scores is not None
    sums = [scores[:, :-1].cumsum(dim=1) for scores in trace.scores]  # the last score is always 1
    distances = torch.cat([(each - threshold).abs().flatten() for each in sums])
    return float(distances[distances.isfinite()].min()) if distances.isfinite().any() else math.inf


class ExportedClassifier(ExportedModel):
    """mmpretrain's ImageClassifier: ``scores``, (B, classes) float32, which sum to 1."""

    task = 'classification'

    def result_names(self) -> list[str]:
        return ['scores']

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        if self.model.with_neck:
            features = self.model.neck(features)
        return (self.model.head(features).softmax(dim=1),)


class ExportedSegmentor(ExportedModel):
    """mmseg's EncoderDecoder, whole inference: ``label_map``, (B, H, W) uint8."""

    task = 'segmentation'

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        super().__init__(model, fixed)
        head = model.decode_head
        if head.num_classes > 256:
            raise ValueError(f'num_classes must be at most 256 to be exported, got {head.num_classes}')

    def result_names(self) -> list[str]:
        return ['label_map']

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        if self.model.with_neck:
            features = self.model.neck(features)
        head = self.model.decode_head
        logits = F.interpolate(
            head(features), size=x.shape[-2:], mode='bilinear', align_corners=head.align_corners
        )
        logits = logits[..., : image.shape[-2], : image.shape[-1]]
        if logits.shape[1] > 1:
            labels = logits.argmax(dim=1)
        else:
            labels = (logits.sigmoid() > head.threshold).squeeze(1)
        return (labels.to(torch.uint8),)


class ExportedFeatures(ExportedModel):
    """A detector up to its neck: ``features_k``, one for each level; on the CPU.

    Args:
        model, fixed: See :class:`ExportedModel`.
        reason: Why it is not exported whole.
    """

    task = 'features'

    def __init__(self, model: nn.Module, fixed: int | None = None, reason: str | None = None) -> None:
        super().__init__(model, fixed)
        self.reason = reason
        self.levels = len(model.backbone.out_indices)
        if getattr(model, 'with_neck', False):
            with torch.no_grad():  # not all necks say how many levels they have
                self.levels = len(model.neck(self.form(torch.zeros(1, 3, 64, 64)).features))

    def result_names(self) -> list[str]:
        return [f'features_{k}' for k in range(self.levels)]

    def finish(self, features: tuple[Tensor, ...], image: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        return self.model.neck(features) if getattr(self.model, 'with_neck', False) else features
