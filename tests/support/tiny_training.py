"""A tiny classifier on images from memory, trained by mmengine's Runner."""

from __future__ import annotations

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from iterbackbone.mm import IterativeResNet
from iterbackbone.mm.traces import unwrapped


class TinyClassifier(BaseModel):
    """Two iterative stages and a linear layer on 8x8 images."""

    def __init__(self, **backbone):
        super().__init__()
        options = {'base_channels': 4, 'expansion': 1, 'num_stages': 2, 'max_iterations': (3, 4)}
        self.backbone = IterativeResNet(stem='cifar', **{**options, **backbone})
        self.head = nn.Linear(8, 2)

    def forward(self, inputs, labels=None, mode='tensor'):
        logits = self.head(self.backbone(inputs)[-1].mean(dim=(2, 3)))
        if mode == 'loss':
            return {'loss_cls': nn.functional.cross_entropy(logits, labels)}
        return logits if mode == 'tensor' else [logits]


class TinyImages(torch.utils.data.Dataset):
    """(3, 8, 8) noise whose label is whether its first pixel is positive."""

    def __init__(self, length):
        self.images = torch.randn(length, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], int(self.images[i, 0, 0, 0] > 0)


class LabelledImages(TinyImages):
    """The same as mmpretrain wants them."""

    metainfo = dict(classes=('negative', 'positive'))

    def __getitem__(self, i):
        from mmpretrain.structures import DataSample

        image, label = super().__getitem__(i)
        return dict(inputs=image, data_samples=DataSample(metainfo=dict(img_id=i)).set_gt_label(label))


def labelled_loader(dataset, batch_size):
    """Config of a DataLoader without workers."""
    return dict(
        batch_size=batch_size,
        num_workers=0,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )


class Spy(Hook):
    """Keeps what each step showed; gradients are those of the last optimizer step, over all ranks."""

    priority = 'LOWEST'

    def __init__(self):
        self.steps = []
        self.grads = {}

    def before_train(self, runner):
        parameters = list(unwrapped(runner.model).named_parameters())

        def keep(*_):  # behind the step .grad is cleared
            self.grads = {n: p.grad.clone() for n, p in parameters if p.grad is not None}

        runner.optim_wrapper.optimizer.register_step_pre_hook(keep)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        hub = runner.message_hub
        self.steps.append(
            {
                'outputs': {k: v.item() for k, v in outputs.items()},
                'scalars': {k: v.current() for k, v in hub.log_scalars.items()},
                'grads': dict(self.grads),
                'held': [s.blocks[0].halting.held for s in unwrapped(runner.model).backbone.stages],
            }
        )


def endless(dataset, batch_size):
    """A loader in the data's order that never ends: mmengine sleeps two seconds where one does."""
    return DataLoader(dataset, batch_size, sampler=InfiniteSampler(dataset, shuffle=False))


def train_tiny(
    tmp_path,
    hook,
    max_iters=4,
    model=None,
    interval=2,
    lr=0.1,
    batch_size=4,
    accumulate=1,
    more_hooks=(),
    optim_wrapper=None,
    train_dataloader=None,
    **options,
):
    spy = Spy()
    model = model or TinyClassifier()
    runner = Runner(
        model=model,
        work_dir=str(tmp_path),
        train_dataloader=train_dataloader or endless(TinyImages(8), batch_size),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
        optim_wrapper=optim_wrapper
        or dict(optimizer=dict(type='SGD', lr=lr), accumulative_counts=accumulate),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=interval),
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4),
        ),
        custom_hooks=[*([hook] if hook else []), *more_hooks, spy],
        default_scope='mmengine',
        experiment_name=str(tmp_path.name),
        log_level='WARNING',
        **options,
    )
    runner.train()
    return spy.steps, runner
