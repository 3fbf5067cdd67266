"""Packs a training's checkpoint as weights that iterbackbone://NAME finds.

Writes NAME.safetensors (kernels in float16), its model card NAME.md and its entry in index.json,
all or none, into the package or into --folder, which ITERBACKBONE_WEIGHTS names when they are
read. Weights of the same name are replaced. Of a training with mmengine's EMAHook the averaged
weights are taken. docs/pretrained.md lists the keys of the facts.
"""

import argparse
import hashlib
import inspect
import json
import re
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save

from iterbackbone import IterativeResNet
from iterbackbone.cli.arguments import one_line
from iterbackbone.files import write_together
from iterbackbone.mm.checkpoints import load_weights_only, weights_for
from iterbackbone.mm.configs import build_model, read_config, toolbox_of_model
from iterbackbone.pretrained.index import INDEX, SCHEME, SHIPPED, Weights, read_index
from iterbackbone.pretrained.models import VARIANTS

NAME = re.compile(r'[a-z0-9_-]+\.[a-z0-9_-]+')
TASKS = {'mmpretrain': 'classification', 'mmdet': 'detection', 'mmseg': 'segmentation'}
MOST_BYTES = {'classification': 6_000_000, 'detection': 10_000_000, 'segmentation': 10_000_000}
OPTIONAL = {'classes', 'preprocessing'}
FACTS = ('color_order', 'commit', 'data', 'figures', 'license', 'not_for', 'recipe')
OF_RUNS = ('budget', 'norm_layer', 'out_indices', 'frozen_stages', 'norm_eval', 'with_cp', 'execution')
CARD = """# {name}

`{scheme}{name}`: weights for {task}, {megabytes} MB, kernels in float16, {license}.

## Figures
| what | figure |
|---|---|
{rows}

## Data
{data}

## Recipe
{recipe} Commit {commit}.

## Input and output
Pixels from 0 to 255, {color_order}, minus {mean}, divided by {std}; {count} classes.

## Not for
{not_for}
"""


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', help='by mmengine, of the whole model')
    parser.add_argument('--config', type=Path, required=True, help="the training's")
    parser.add_argument('--name', required=True, help='NETWORK.TAG, such as my_network.my_data')
    parser.add_argument('--facts', type=Path, required=True, metavar='FILE', help='JSON for the card')
    parser.add_argument(
        '--folder', type=Path, default=SHIPPED, help="where to write; default: the package's"
    )
    return parser, parser.parse_args(argv)


def packed(args):
    """The weights' entry, once everything is written."""
    if not NAME.fullmatch(args.name):
        raise ValueError(f'--name must be NETWORK.TAG of a-z, 0-9, _ and -, got {args.name!r}')
    if args.name.partition('.')[0] in VARIANTS:  # too large to be packed, so these are of another
        raise ValueError(f"--name must not be that of the paper's networks, got {args.name!r}")
    facts = read_facts(args.facts)
    cfg = read_config(args.config)
    model = build_model(cfg)
    checkpoint = load_weights_only(args.checkpoint)
    state = weights_for(model, checkpoint, args.checkpoint)
    pixels = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    if not {'mean', 'std'} <= pixels.keys():
        raise ValueError(f'data_preprocessor must have mean and std, got {pixels}')
    classes = facts.pop('classes', None) or classes_of(checkpoint)
    task = TASKS[toolbox_of_model(model)]
    check_classes(classes, task, state)
    return pack(
        args.folder,
        args.name,
        state,
        task=task,
        architecture=architecture(model, cfg.model.get('backbone')),
        mean=list(pixels['mean']),
        std=list(pixels['std']),
        classes=classes,
        **facts,
    )


def read_facts(path):
    """What the checkpoint does not say."""
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f'--facts: {path} cannot be read as JSON ({error})') from None
    if not isinstance(facts, dict) or set(facts) - OPTIONAL != set(FACTS):
        optional = ' and '.join(sorted(OPTIONAL))
        raise ValueError(f'--facts: {path} must have {", ".join(FACTS)} and, if need be, {optional}')
    if facts['color_order'] not in ('RGB', 'BGR'):
        raise ValueError(f'--facts: color_order must be RGB or BGR, got {facts["color_order"]!r}')
    if not isinstance(facts['figures'], dict):
        raise ValueError(f'--facts: figures must be texts by name, got {facts["figures"]!r}')
    return facts


def classes_of(checkpoint):
    try:
        return list(checkpoint['meta']['dataset_meta']['classes'])
    except (KeyError, TypeError):
        raise ValueError('--facts must have classes: the checkpoint does not name them') from None


def check_classes(classes, task, state):
    """Raise unless they are names, and a classifier's layer has an output for each."""
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f'classes must be a list of names, got {classes!r}')
    if task != 'classification':
        return
    if 'head.fc.weight' not in state:
        raise ValueError("a classifier's linear layer must be head.fc, as create_model has it")
    if len(state['head.fc.weight']) != len(classes):
        outputs = len(state['head.fc.weight'])
        raise ValueError(f'classes must be {outputs}, as many as outputs, got {len(classes)}')


def architecture(model, config):
    """All arguments that shape the backbone, defaults too: those may change."""
    if not isinstance(getattr(model, 'backbone', None), IterativeResNet):
        raise ValueError(f'model.backbone must be an IterativeResNet, got {config and config["type"]}')
    norm = config.get('norm_cfg') or {}
    if norm.get('type', 'BN') not in ('BN', 'SyncBN') or norm.get('eps', 1e-5) != 1e-5:
        raise ValueError(f'norm_cfg must be BN or SyncBN of eps 1e-5, as in create_model, got {norm}')
    parameters = inspect.signature(IterativeResNet).parameters.items()
    shaping = {name: p.default for name, p in parameters if name not in OF_RUNS}
    chosen = {name: config.get(name, default) for name, default in shaping.items()}
    if chosen['entry'] is not None:
        chosen['entry'] = entry_of_timm(chosen['entry'])
    return {name: value for name, value in chosen.items() if value is not None}


def entry_of_timm(config):
    """An entry as create_model can build it again."""
    if config['type'].rpartition('.')[2] != 'TIMMBackbone':
        raise ValueError(f'entry must be a TIMMBackbone, as create_model has it, got {config["type"]}')
    ours = ('type', 'frozen', 'pretrained', 'features_only', 'checkpoint_path', 'init_cfg')
    return {key: value for key, value in config.items() if key not in ours}


def pack(folder, name, state, **facts):
    """Write the file, the card and the index; kernels become float16.

    What has one dimension (norms, biases) stays as it is: it is a few per cent of the file, and
    a variance may lie outside float16's range.
    """
    content = save({key: small(key, tensor) for key, tensor in state.items()})
    most = MOST_BYTES[facts['task']]
    if len(content) > most:
        raise ValueError(
            f'weights for {facts["task"]} must have at most {most} bytes, got {len(content)}'
        )
    digest = hashlib.sha256(content).hexdigest()
    weights = Weights(folder=folder, name=name, sha256=digest, bytes=len(content), **facts)
    known = read_index(folder) if (folder / INDEX).exists() else {}
    entries = {each.name: asdict(each) for each in (known | {name: weights}).values()}
    for entry in entries.values():
        del entry['folder'], entry['name']
    files = {
        weights.path.name: content,
        f'{name}.md': card(weights).encode(),
        INDEX: (json.dumps(entries, indent=1) + '\n').encode(),
    }
    write_together(folder, files)
    return weights


def small(key, tensor):
    if tensor.dtype != torch.float32 or tensor.dim() < 2:
        return tensor.contiguous()
    half = tensor.contiguous().half()
    if not half.isfinite().all():
        raise ValueError(f"{key} must be below 65504, float16's largest, got {tensor.abs().max():g}")
    return half


def card(weights):
    """The model card, in Markdown."""
    rows = '\n'.join(f'| {what} | {figure} |' for what, figure in weights.figures.items())
    size = f'{weights.bytes / 1e6:.1f}'
    more = dict(scheme=SCHEME, megabytes=size, rows=rows, count=len(weights.classes))
    return CARD.format(**asdict(weights), **more)


def main(argv=None):
    parser, args = parse_args(argv)
    with one_line(parser):
        weights = packed(args)
    print(f'{weights.path}: {weights.bytes} bytes, SHA-256 {weights.sha256}')
    print(f'{SCHEME}{weights.name}')


if __name__ == '__main__':
    main()
