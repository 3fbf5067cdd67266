# The shipped segmentor's twin: the plain ResNet of the same blocks and widths, by the same recipe.
_base_ = '../../configs/segmentation/upernet_iterative-r50-w32_anytime_voc2007-320.py'
work_dir = 'work_dirs/voc_models/unshared_segmentor'
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        stem_channels=32,
        base_channels=32,
        out_indices=(0, 1, 2, 3),
        style='pytorch',
        norm_eval=False,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/pretraining/unshared/iter_800.pth',
            prefix='backbone.',
        ),
    )
)
custom_hooks = [dict(type='EMAHook', momentum=0.002, update_buffers=True)]
