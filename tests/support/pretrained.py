"""Tiny weights as tools/pack_weights.py packs them."""

from __future__ import annotations

import json

import pack_weights
import torch
from mmengine.config import Config

from iterbackbone.mm.configs import build_model

BACKBONE = dict(depth=50, base_channels=4, expansion=2)
CLASSIFIER = Config(
    dict(
        default_scope='mmpretrain',
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
            backbone=dict(
                type='iterbackbone.IterativeResNet', last_relu=False, out_indices=(3,), **BACKBONE
            ),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=5, in_channels=64),
        ),
    )
)
CLASSES = ['ant', 'bee', 'cat', 'dog', 'eel']
FACTS = dict(
    color_order='RGB',
    commit='0123abc',
    data='Drawn by this test.',
    figures={'top-1, all iterations': '20.0 ± 1.0 %'},
    license='Apache-2.0',
    not_for='Anything.',
    preprocessing={'input_size': [3, 64, 64], 'crop_pct': 0.875},
    recipe='None.',
)


def state_of(cfg, seed=0):
    """The state dict of a config's model, random weights and statistics."""
    torch.manual_seed(seed)
    state = build_model(cfg).state_dict()
    for key, value in state.items():
        if key.endswith(('running_mean', 'running_var')):
            value.uniform_(0.5, 1.5)
        elif key.endswith('num_batches_tracked'):
            value.fill_(7)
    if 'head.fc.bias' in state:
        state['head.fc.bias'].fill_(0.5)
    return state


def arguments(folder, cfg, state, name, facts=FACTS, classes=CLASSES):
    """Of the tool: a checkpoint as mmengine saves it, its config, the facts."""
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / 'work'
    work.mkdir(exist_ok=True)
    cfg.dump(work / 'config.py')
    meta = dict(dataset_meta=dict(classes=tuple(classes))) if classes else {}
    torch.save(dict(meta=meta, state_dict=state), work / 'epoch_1.pth')
    (work / 'facts.json').write_text(json.dumps(facts))
    paths = ('--config', work / 'config.py', '--facts', work / 'facts.json', '--folder', folder)
    return [str(x) for x in (work / 'epoch_1.pth', *paths, '--name', name)]


def pack(folder, name='tiny_net.toy', cfg=CLASSIFIER, **more):
    """Pack a config's model; its state dict, kernels as float16 has them."""
    state = state_of(cfg)
    pack_weights.main(arguments(folder, cfg, state, name, **more))
    kernel = [key for key, value in state.items() if value.dim() > 1]
    return {**state, **{key: state[key].half().float() for key in kernel}}
