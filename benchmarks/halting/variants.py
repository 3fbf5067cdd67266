"""The variants: what each changes of config.py."""

NORM = dict(type='LayerNormHook')
CAP = dict(type='ScoreCapHook', cap=0.98)
PRICE = dict(type='PriceHook', by='inverse')
RANK = dict(type='PriceHook', by='rank')


def stage_target(share):
    return dict(type='StageTargetHook', gain=0.1, share=share)


def warm(start):
    """Plain ACT at a ResNet-50's iterations, from OUT/start-*.pth or from random weights."""
    options = {'model.backbone.max_iterations': [3, 4, 6, 3], 'ponder': {'target': 0.6}}
    init_cfg = {'type': 'Pretrained', 'checkpoint': f'OUT/start-{start}.pth', 'prefix': 'backbone.'}
    return options if start is None else {**options, 'model.backbone.init_cfg': init_cfg}


FAST_UNITS = {  # the halting units learn ten times as fast as the rest
    'optim_wrapper.paramwise_cfg.custom_keys': {
        'halting.fc2.bias': {'decay_mult': 0.0, 'lr_mult': 10.0},
        'halting': {'lr_mult': 10.0},
    }
}


VARIANTS = {
    'norm_difficulty05_target45': {
        'ponder': {'difficulty_weight': 0.05, 'target': 0.45},
        'hooks': [NORM],
    },
    'norm_difficulty05_target45_fast': {
        'ponder': {'difficulty_weight': 0.05, 'target': 0.45},
        'hooks': [NORM],
        **FAST_UNITS,
    },
    'r50_random': warm(None),
    'r50_first': warm('first'),
    'r50_mean': warm('mean'),
    'r50_least-squares': warm('least-squares'),
    'difficulty05_target45': {'ponder': {'difficulty_weight': 0.05, 'target': 0.45}},
    'difficulty20_target45': {'ponder': {'difficulty_weight': 0.2, 'target': 0.45}},
    'norm_difficulty20_target45': {
        'ponder': {'difficulty_weight': 0.2, 'target': 0.45},
        'hooks': [NORM],
    },
    'rank20_target45': {'ponder': {'weight': 0.2, 'target': 0.45}, 'hooks': [RANK]},
    'norm_rank20_target45': {'ponder': {'weight': 0.2, 'target': 0.45}, 'hooks': [NORM, RANK]},
    'warm10_norm_rank20_target45': {
        'ponder': {'weight': 0.2, 'target': 0.45, 'halting_warmup': 0.1},
        'hooks': [NORM, RANK],
    },
    'rank_target45': {'ponder': {'weight': 0.05, 'target': 0.45}, 'hooks': [RANK]},
    'warm25_norm_blocks40': {
        'ponder': {'weight': 0.0, 'halting_warmup': 0.25},
        'hooks': [NORM, dict(type='BlockBiasHook', share=0.4)],
    },
    'warm25_norm_rank_blocks40': {
        'ponder': {'weight': 0.05, 'halting_warmup': 0.25},
        'hooks': [NORM, RANK, dict(type='BlockBiasHook', share=0.4)],
    },
    'norm_rank_blocks40': {
        'ponder': {'weight': 0.05},
        'hooks': [NORM, RANK, dict(type='BlockBiasHook', share=0.4)],
    },
    'warm25_norm_rank_target45': {
        'ponder': {'weight': 0.05, 'target': 0.45, 'halting_warmup': 0.25},
        'hooks': [NORM, RANK],
    },
    'warm25_rank_target45': {
        'ponder': {'weight': 0.05, 'target': 0.45, 'halting_warmup': 0.25},
        'hooks': [RANK],
    },
    'norm_rank_target45': {'ponder': {'weight': 0.05, 'target': 0.45}, 'hooks': [NORM, RANK]},
    'warm25_target45': {'ponder': {'target': 0.45, 'halting_warmup': 0.25}},
    'warm25_norm_target45': {'ponder': {'target': 0.45, 'halting_warmup': 0.25}, 'hooks': [NORM]},
    'warm25_norm_price_target45': {
        'ponder': {'target': 0.45, 'halting_warmup': 0.25},
        'hooks': [NORM, PRICE],
    },
    'target45': {'ponder': {'target': 0.45}},
    'norm_cap_target45': {'ponder': {'target': 0.45}, 'hooks': [NORM, CAP]},
    'norm_target45': {'ponder': {'target': 0.45}, 'hooks': [NORM]},
    'norm_cap_price_target45': {'ponder': {'target': 0.45}, 'hooks': [NORM, CAP, PRICE]},
    'full_held': {'ponder': {'halting_warmup': 1.0}},
    'one': {'model.backbone.max_iterations': [1, 1, 1, 1]},
    'plain': {},
    'warm10': {'ponder': {'halting_warmup': 0.1}},
    'warm25': {'ponder': {'halting_warmup': 0.25}},
    'warm50': {'ponder': {'halting_warmup': 0.5}},
    'norm': {'hooks': [NORM]},
    'cap': {'hooks': [CAP]},
    'forced25': {'hooks': [dict(type='ForcedDepthHook', probability=0.25)]},
    'forced50': {'hooks': [dict(type='ForcedDepthHook', probability=0.5)]},
    'prior': {
        'hooks': [dict(type='PriorHook', weight=0.01, share=0.45)],
        'ponder': {'weight': 0.0},
        'model.backbone.execution': {'train': 'masked', 'eval': 'active'},
    },
    'stages45': {'ponder': {'weight': 0.0}, 'hooks': [stage_target(0.45)]},
    'norm_cap_stages45': {'ponder': {'weight': 0.0}, 'hooks': [NORM, CAP, stage_target(0.45)]},
    'norm_cap_stages45_warm10': {
        'ponder': {'weight': 0.0, 'halting_warmup': 0.1},
        'hooks': [NORM, CAP, stage_target(0.45)],
    },
    'norm_cap_stages45_price': {
        'ponder': {'weight': 0.0},
        'hooks': [NORM, CAP, PRICE, stage_target(0.45)],
    },
    'masked': {'model.backbone.execution': {'train': 'masked', 'eval': 'active'}},
    'no_last_relu': {'hooks': [dict(type='NoLastReluHook')]},
    'shared_affine': {'hooks': [dict(type='SharedAffineHook')]},
}
