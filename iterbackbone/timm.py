"""Networks in timm's registry, by ``import iterbackbone.timm``; needs timm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from timm import models
from timm.layers import ClassifierHead
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from .core.entry import Entry
from .pretrained.classifier import IterativeClassifier
from .pretrained.index import all_weights
from .pretrained.models import VARIANTS, create_model

__all__ = ['TimmResNet']  # timm adds the networks' names


class TimmResNet(IterativeClassifier):
    """A network as timm's wrappers and scripts take it, with their methods."""

    def __init__(
        self,
        name: str,
        num_classes: int = 1000,
        in_chans: int = 3,
        global_pool: str = 'avg',
        drop_rate: float = 0.0,
        stages: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        whole = dict(in_chans=in_chans, features_only=True, out_indices=stages, **options)
        super().__init__(create_model(name, **whole), 0)
        self.name, self.num_classes, self.in_chans, self._options = name, num_classes, in_chans, whole
        self.feature_info = [x | dict(module=f'backbone.{x["module"]}') for x in self.feature_info]
        convs = (key for key, x in self.named_modules() if isinstance(x, nn.Conv2d))
        self._traits = dict(first_conv=next(convs))  # of an entry's network, too
        self.head_hidden_size = self.num_features
        self.head = ClassifierHead(self.num_features, num_classes, global_pool, drop_rate)

    def load_pretrained(self, file: str) -> None:
        """Take the package's weights of this name, checked and adapted; timm calls it."""
        whole = dict(features_only=False, out_indices=None, num_classes=self.num_classes)
        target, options = (self, whole) if self.num_classes else (self.backbone, {})
        source = create_model(self.name, pretrained=True, **self._options | options)
        target.load_state_dict(source.state_dict())
        entry, trained = (getattr(x, 'backbone', x).stem for x in (self, source))
        if isinstance(entry, Entry) and trained.frozen:
            entry.freeze()

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)

    def forward_intermediates(
        self, x: Tensor, indices: int | Sequence[int] | None = None, **settings: Any
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        assert settings.get('output_fmt', 'NCHW') == 'NCHW', 'maps are NCHW'
        maps = self.backbone(x)
        found = [maps[k] for k in feature_take_indices(len(maps), indices)[0]]
        return found if settings.get('intermediates_only') else (maps[-1], found)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        for module in self.backbone.modules():
            if hasattr(module, 'with_cp'):
                module.with_cp = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        return dict(stem=r'^backbone\.stem', blocks=r'^backbone\.stages\.(\d+)')  # a stage is one

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        return self.head(x, pre_logits=pre_logits)


def _register(network: str) -> Callable[..., nn.Module]:
    def create(pretrained: bool = False, **kwargs: Any) -> nn.Module:
        given = kwargs.pop('pretrained_cfg', None), kwargs.pop('pretrained_cfg_overlay', None)
        cfg = models.resolve_pretrained_cfg(network, *given)
        weights = WEIGHTS.get(f'{network}.{cfg.tag}')
        if kwargs.get('features_only'):
            stages = weights.architecture.get('num_stages', 4) if weights else 4
            kwargs['out_indices'], last = feature_take_indices(stages, kwargs.get('out_indices'))
            kwargs |= dict(stages=range(last + 1), num_classes=0)
        build = partial(TimmResNet, weights.name if weights else network)
        kwargs |= dict(pretrained_cfg=cfg.to_dict(), feature_cfg=dict(feature_cls='getter'))
        kwargs['pretrained_filter_fn'] = _without_later_stages
        model = models.build_model_with_cfg(build, network, pretrained, **kwargs)
        model.pretrained_cfg['first_conv'] = models.get_model_traits(model)['first_conv']
        if not kwargs.get('features_only'):
            stride, sides = model.feature_info[-1]['reduction'], cfg.input_size[1:]
            model.pretrained_cfg['pool_size'] = tuple(-(-side // stride) for side in sides)
        return model

    create.__name__ = network
    return models.register_model(create)


def _without_later_stages(state: dict[str, Tensor], model: TimmResNet) -> dict[str, Tensor]:
    """What timm reads of a file."""
    later = tuple(f'backbone.stages.{k}.' for k in range(len(model.backbone.stages), 4))
    return {key: x for key, x in state.items() if not key.startswith(later)}


def _cfg(name: str) -> models.PretrainedCfg:
    facts: dict[str, Any] = dict(classifier='head.fc')
    if weights := WEIGHTS.get(name):
        facts['input_size'] = (len(weights.mean), 224, 224)  # timm's size, where none is known
        known = {field.name for field in fields(models.PretrainedCfg)} - {'url'}
        facts |= {key: x for key, x in weights.pretrained_cfg.items() if key in known}
        facts |= dict(file=str(weights.path), custom_load=True)
        facts |= {} if weights.task == 'classification' else dict(num_classes=0)
    return models.PretrainedCfg(**facts)


WEIGHTS = {name: x for name, x in all_weights().items() if x.color_order == 'RGB'}  # as timm's pixels
default_cfgs = models.generate_default_cfgs({name: _cfg(name) for name in (*WEIGHTS, *VARIANTS)})
globals().update({name: _register(name) for name in default_cfgs})
