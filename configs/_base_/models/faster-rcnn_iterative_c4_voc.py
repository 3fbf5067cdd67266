# IterativeResNet as the paper's detector: stages 0-2 on the image, stage 3 on each RoI, which
# halts on its own. Random weights; a classification checkpoint serves both parts by
# init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.').
_base_ = ['./faster-rcnn_c4_voc.py', '../iteration_hooks.py']
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    backbone=dict(
        _delete_=True,
        type='iterbackbone.IterativeResNet',
        depth=50,
        last_gamma=1.0,  # the paper's block, as in the RoI head
        last_relu=True,
        num_stages=3,
        out_indices=(2,),
        frozen_stages=-1,
        norm_cfg=norm_cfg,
        norm_eval=False,
    ),
    roi_head=dict(
        shared_head=dict(
            _delete_=True,
            type='iterbackbone.IterativeResLayer',
            depth=50,
            stage=3,
            stride=2,
            last_gamma=1.0,
            last_relu=True,
            norm_cfg=norm_cfg,
            norm_eval=False,
        )
    ),
)
