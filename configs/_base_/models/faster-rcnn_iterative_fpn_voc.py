# IterativeResNet behind a feature pyramid. Random weights, so nothing is frozen and BatchNorm
# learns its statistics; once there is a checkpoint give
# init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.').
_base_ = ['./faster-rcnn_fpn_voc.py', '../iteration_hooks.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='iterbackbone.IterativeResNet',
        depth=50,
        last_gamma=1.0,  # the paper's block, as it is trained together with its halting
        last_relu=True,
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
    )
)
