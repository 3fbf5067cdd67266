# IterativeResNet under UPerNet. Random weights; once there is a checkpoint give
# init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.').
_base_ = ['./upernet_r50_ade20k.py', '../iteration_hooks.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='iterbackbone.IterativeResNet',
        depth=50,
        last_gamma=1.0,  # the paper's block
        last_relu=True,
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
    )
)
