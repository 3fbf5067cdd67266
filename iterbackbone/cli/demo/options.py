"""The command's options, and which demo a source gets."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from ...files import same_place
from ..arguments import new_folder
from ..paths import any_config

# A detector in the package, for those who name no model.
CONFIG = 'fcos_iterative-r50-w32_fpn_anytime_voc2007-320'
CHECKPOINT = 'iterbackbone://fcos_iterative_resnet50_w32.voc2007_subset'
# A better one, whose config needs timm and mmseg.
TIMM_CONFIG = 'fcos_efficientnet-lite0-iterative_fpn_anytime_voc2007-320'
TIMM_CHECKPOINT = 'iterbackbone://fcos_efficientnet_lite0_iterative.voc2007_subset'
SCORE, OWN_SCORE = 0.3, 0.2  # lowest of a drawn box; that detector's scores are low


def add_command(commands: argparse._SubParsersAction) -> None:
    """``demo``."""
    parser = commands.add_parser(
        'demo',
        help='draw results and their compute on pictures or a video',
        description='Draws the result beside the iterations of each stage, the share of the adaptive '
        'MACs and the time. Several pictures also give a contact sheet from cheapest to dearest, a CSV '
        'and a JSON file; a video gives a strip of its compute over time.',
    )
    source = "picture, folder, glob in quotes ('*.jpg'), video file, or number of a camera"
    parser.add_argument('source', metavar='SOURCE', help=source)
    config = "file, or a name of ours, of any toolbox; default: a detector of VOC's 20 classes"
    parser.add_argument('--config', metavar='CONFIG', help=config)
    parser.add_argument('--checkpoint', help='its trained weights: a file or address')
    share = 'of the full MACs, such as 0.5; needs halting fitted by tools/fit_halting.py'
    parser.add_argument('--budget', type=float, metavar='SHARE', help=share)
    score = f'lowest of a drawn box; default: {SCORE}, without CONFIG {OWN_SCORE}'
    parser.add_argument('--score', type=float, help=score)
    parser.add_argument('--device', default='cpu', help='such as cuda:0; default: cpu')
    out = dict(default='work_dirs/demo', help='default: %(default)s')
    parser.add_argument('--out', type=new_folder, **out)
    parser.add_argument('--show', action='store_true', help='in a window, too; q closes it')
    parser.set_defaults(run=run)


def shipped_detector() -> tuple[str, str]:
    """Config and checkpoint of the best detector in the package that can be built here."""
    both = all(map(find_spec, ('timm', 'mmseg')))
    return (TIMM_CONFIG, TIMM_CHECKPOINT) if both else (CONFIG, CHECKPOINT)


def run(args: argparse.Namespace) -> None:
    """Check the source first: a model takes seconds to load. ValueError names what is wrong."""
    from .panel import open_window  # OpenCV and Pillow, which other commands do without
    from .pictures import run_pictures
    from .sources import Video, open_source
    from .video import run_video

    if (args.config is None) != (args.checkpoint is None):
        raise ValueError('--config and --checkpoint belong together: give both or none')
    source = open_source(args.source)
    pictures = [] if isinstance(source, Video) else source
    if any(same_place(args.out, folder) for folder in {path.parent for path in pictures}):
        raise ValueError(f'--out must be another folder than that of the pictures, got {args.out}')
    if args.budget is not None and not 0 < args.budget <= 1:
        raise ValueError(f'--budget must be above 0 and at most 1, got {args.budget:g}')
    if args.score is not None and not 0 <= args.score <= 1:
        raise ValueError(f'--score must be 0 to 1, got {args.score:g}')
    if args.show:
        open_window()
    name, checkpoint = shipped_detector() if args.config is None else (args.config, args.checkpoint)
    config = any_config(name)
    score = args.score if args.score is not None else SCORE if args.config else OWN_SCORE
    from ...mm.predictor import Predictor  # OpenMMLab, where a command needs it

    predictor = Predictor(config, checkpoint, args.device, args.budget, score)
    run_source = run_video if isinstance(source, Video) else run_pictures
    for line in run_source(source, predictor, args.out, args.show):
        print(line, flush=True)
