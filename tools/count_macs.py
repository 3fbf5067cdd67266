"""Counts the parameters and MACs of a whole detector, segmentor or classifier.

One multiply-add is 1 MAC. The model is built with random weights and run once on the CPU, so it
needs neither data nor a checkpoint. "lowest" is one iteration of each block of the iterative
backbone, "highest" all of them, "mean" what an evaluation took, by its iteration log.
"""

import argparse
import json
from pathlib import Path

from mmengine.config import DictAction

from iterbackbone.cli.arguments import new_file, one_line, positive
from iterbackbone.files import whole_file
from iterbackbone.mm.configs import build_model, pipeline_size, read_config
from iterbackbone.mm.counting.logged_compute import read_evaluation_compute
from iterbackbone.mm.counting.model_macs import most_proposals
from iterbackbone.mm.counting.summary import evaluation_summary, image_summary
from iterbackbone.mm.counting.table import compute_table, ratios


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path, help='config file path')
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        '--input',
        type=positive,
        nargs=2,
        metavar=('H', 'W'),
        help="image size before padding; by default that of the test pipeline's crop or Resize",
    )
    size.add_argument(
        '--log',
        type=Path,
        metavar='EVALUATION_FOLDER',
        help='mean over the images of an evaluation, WORK_DIR/TIMESTAMP/iterations/test_epoch_N',
    )
    parser.add_argument('--baseline', type=Path, metavar='CONFIG', help='config to compare with')
    parser.add_argument(
        '--num-proposals',
        type=positive,
        metavar='N',
        help='of a two-stage detector; by default test_cfg.rpn.max_per_img',
    )
    parser.add_argument('--json', type=new_file, metavar='FILE', help='write the same numbers as JSON')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config (not of the baseline), key=value, such as '
        'model.backbone.budget.max_iterations=4',
    )
    return parser, parser.parse_args(argv)


def proposals(model, args):
    """Number of proposals of a two-stage detector, None for other models."""
    most = most_proposals(model)
    return args.num_proposals or most if most else None


def summaries(args):
    """Of the config's model and, or None, of the baseline's."""
    cfg = read_config(args.config, args.cfg_options)
    model = build_model(cfg)
    baseline = build_model(read_config(args.baseline)) if args.baseline else None
    models = [model] if baseline is None else [model, baseline]
    if args.num_proposals and not any(map(most_proposals, models)):
        raise ValueError(f'--num-proposals: {args.config} has no proposals')
    if args.log:
        log = read_evaluation_compute(args.log, model)
        if log.rois and args.num_proposals:
            raise ValueError('--num-proposals: not with a log of RoIs, which are taken as logged')
        return [evaluation_summary(m, log, proposals(m, args), m is model) for m in models]
    size = tuple(args.input) if args.input else pipeline_size(cfg)
    if size is None:
        raise ValueError(
            f'--input H W is needed: the test pipeline of {args.config} has no crop or Resize'
        )
    return [image_summary(m, size, proposals(m, args)) for m in models]


def main(argv=None):
    parser, args = parse_args(argv)
    with one_line(parser):
        model, baseline = [*summaries(args), None][:2]
    print(compute_table(str(args.config), model, str(args.baseline), baseline), end='')
    if args.json:
        content = {'config': str(args.config), **model}
        if baseline:
            content['baseline'] = {'config': str(args.baseline), **baseline}
            content['shares_of_baseline'] = ratios(model, baseline)
        with one_line(parser, '--json'), whole_file(args.json) as file:
            file.write((json.dumps(content, indent=2) + '\n').encode())


if __name__ == '__main__':
    main()
