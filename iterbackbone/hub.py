"""Models of ``create_model`` in folders of the Hugging Face Hub; needs huggingface_hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, PyTorchModelHubMixin
from huggingface_hub.utils import is_jsonable
from torch import Tensor, nn

from .core.entry import Entry
from .pretrained.index import named_weights
from .pretrained.models import VARIANTS, create_model

CARD = """---
{{ card_data }}
---
A ResNet whose stages are weight-shared loops: each image gets the iterations it needs. To read it:

    from iterbackbone.hub import HubModel
    model = HubModel.from_pretrained('NAME')  # a folder or repository

{% for key, value in facts.items() -%}
- {{ key }}: {{ value }}
{% endfor %}
"""


class HubModel(nn.Module, PyTorchModelHubMixin, library_name='iterbackbone', model_card_template=CARD):
    """A model with ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``.

    A folder holds safetensors, the whole architecture, ``pretrained_cfg`` and a model card; to read it
    none of the package's weights are needed. Arguments are those of ``create_model``, as far as JSON
    can hold them.
    """

    def __init__(self, name: str, pretrained: bool = False, **options: Any) -> None:
        super().__init__()
        if wrong := [key for key, value in options.items() if not is_jsonable(value)]:
            raise TypeError(f'{wrong[0]} must be what JSON can hold, got {options[wrong[0]]!r}')
        facts = options.pop('pretrained_cfg', {})
        self.model = create_model(name, pretrained, **options)
        facts = {key: tuple(x) if isinstance(x, list) else x for key, x in facts.items()}
        self.backbone.pretrained_cfg = self.model.pretrained_cfg = facts or self.model.pretrained_cfg
        weights = named_weights().get(name)
        options = {**(weights.architecture if weights else VARIANTS[name]), **options}
        options |= dict(pretrained_cfg=self.backbone.pretrained_cfg)
        entry = self.backbone.stem
        if isinstance(entry, Entry):  # the folder's weights come later
            options['entry'] = {**options['entry'], 'frozen': entry.frozen}
        self._hub_mixin_config = dict(name=f'iterative_resnet{options["depth"]}', **options)

    @property
    def backbone(self) -> nn.Module:
        """For ``set_budget`` and ``ponder_cost``."""
        return getattr(self.model, 'backbone', self.model)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.model(x)

    def generate_model_card(self, **kwargs: Any) -> ModelCard:
        """With the licence and the facts of the weights it started from."""
        card = super().generate_model_card(facts=self._hub_mixin_config, **kwargs)
        if license := self.backbone.pretrained_cfg.get('license'):
            card.data.license, card.data.license_name = 'other', license
        return card

    def _save_pretrained(self, save_directory: Path) -> None:
        # As they are now: a classifier may have been reset.
        self._hub_mixin_config |= dict(num_classes=getattr(self.model, 'num_classes', None))
        super()._save_pretrained(save_directory)

    @classmethod
    def _from_pretrained(cls, **kwargs: Any) -> HubModel:
        if 'name' not in kwargs:
            raise ValueError(f'{kwargs["model_id"]} must have the config.json of a saved HubModel')
        return super()._from_pretrained(**{'strict': True, **kwargs})
