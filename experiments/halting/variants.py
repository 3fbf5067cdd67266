"""The variants: what each changes of config.py."""

NORM = {'model.backbone.halting': {'layer_norm': True}}
FAST_UNITS = {  # the halting units learn ten times as fast as the rest
    'optim_wrapper.paramwise_cfg.custom_keys': {
        'halting.fc2.bias': {'decay_mult': 0.0, 'lr_mult': 10.0},
        'halting': {'lr_mult': 10.0},
    }
}
CAP = dict(type='ScoreCapHook', cap=0.98)
INVERSE = dict(type='PriceHook', by='inverse')
RANK = dict(type='PriceHook', by='rank')


def stages(share):
    return dict(type='StageTargetHook', gain=0.1, share=share)


def block_biases(share):
    return dict(type='BlockBiasHook', share=share)


def variant(*hooks, options=(), **ponder):
    """Hooks beside PonderCostHook, dotted options of the config, PonderCostHook's arguments."""
    return {'hooks': list(hooks), 'ponder': ponder, **dict(options)}


def masked_training():
    return {'model.backbone.execution': {'train': 'masked', 'eval': 'active'}}


def network(by, weight):
    return dict(type='NetworkPriceHook', by=by, weight=weight)


def from_full():
    """Weights of full_held of the same seed, which must have run before."""
    checkpoint = 'OUT/work_dirs/full_held_seedSEED/epoch_6.pth'
    init_cfg = {'type': 'Pretrained', 'checkpoint': checkpoint, 'prefix': 'backbone.'}
    return {'model.backbone.init_cfg': init_cfg}


def warm(start):
    """At a ResNet-50's iterations, from OUT/start-*.pth or from random weights."""
    options = {'model.backbone.max_iterations': [3, 4, 6, 3], **NORM}
    if start is not None:
        checkpoint = f'OUT/start-{start}.pth'
        init_cfg = {'type': 'Pretrained', 'checkpoint': checkpoint, 'prefix': 'backbone.'}
        options['model.backbone.init_cfg'] = init_cfg
    return variant(options=options, target=0.6)


VARIANTS = {
    # yardsticks
    'full_held': variant(halting_warmup=1.0),
    'one': variant(options={'model.backbone.max_iterations': [1, 1, 1, 1]}),
    'plain': variant(),
    # one remedy each
    'warm10': variant(halting_warmup=0.1),
    'warm25': variant(halting_warmup=0.25),
    'warm50': variant(halting_warmup=0.5),
    'norm': variant(options=NORM),
    'cap': variant(CAP),
    'forced25': variant(dict(type='ForcedDepthHook', probability=0.25)),
    'forced50': variant(dict(type='ForcedDepthHook', probability=0.5)),
    'prior': variant(
        dict(type='PriorHook', weight=0.01, share=0.45), options=masked_training(), weight=0.0
    ),
    'stages45': variant(stages(0.45), weight=0.0),
    'target45': variant(target=0.45),
    # together
    'norm_cap_stages45': variant(CAP, stages(0.45), options=NORM, weight=0.0),
    'warm25_target45': variant(target=0.45, halting_warmup=0.25),
    'warm25_norm_target45': variant(options=NORM, target=0.45, halting_warmup=0.25),
    'warm25_norm_price_target45': variant(INVERSE, options=NORM, target=0.45, halting_warmup=0.25),
    'warm25_norm_rank_target45': variant(
        RANK, options=NORM, weight=0.05, target=0.45, halting_warmup=0.25
    ),
    'warm25_norm_rank_blocks40': variant(
        RANK, block_biases(0.4), options=NORM, weight=0.05, halting_warmup=0.25
    ),
    'norm_rank_target45': variant(RANK, options=NORM, weight=0.05, target=0.45),
    'norm_rank20_target45': variant(RANK, options=NORM, weight=0.2, target=0.45),
    'rank20_target45': variant(RANK, weight=0.2, target=0.45),
    'norm_difficulty05_target45': variant(network('rank', 0.05), options=NORM, target=0.45),
    'norm_difficulty10_target45': variant(network('rank', 0.1), options=NORM, target=0.45),
    'norm_difficulty05_target45_fast': variant(
        network('rank', 0.05), options={**NORM, **FAST_UNITS}, target=0.45
    ),
    'norm_due20_target45': variant(network('due', 0.2), options=NORM, target=0.45),
    'norm_due50_target45': variant(network('due', 0.5), options=NORM, target=0.45),
    # the target alone, at other shares and weights, and from a network trained at full depth
    'target30': variant(target=0.3),
    'target60': variant(target=0.6),
    'norm_target30': variant(options=NORM, target=0.3),
    'norm_target45': variant(options=NORM, target=0.45),
    'norm_target60': variant(options=NORM, target=0.6),
    'target45_weight0': variant(target=0.45, weight=0.0),
    'target45_weight1e-4': variant(target=0.45, weight=1e-4),
    'target45_weight1e-3': variant(target=0.45, weight=1e-3),
    'target45_from_full': variant(options=from_full(), target=0.45),
    # other open questions, on plain ACT
    'masked': variant(options=masked_training()),
    'no_last_relu': variant(dict(type='NoLastReluHook')),
    'shared_affine': variant(dict(type='SharedAffineHook')),
    'r50_random': warm(None),
    'r50_first': warm('first'),
    'r50_mean': warm('mean'),
}
