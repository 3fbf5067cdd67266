# An iterative ResNet-50 that starts from a trained ResNet-50 and learns from it stage by stage.
# Its start (docs/starting-weights.md), from the same checkpoint as the teacher's:
#   python tools/resnet_to_iterative.py resnet50_8xb32_in1k_20210831-ea4938fc.pth --depth 50 \
#       --out work_dirs/iterative-r50_from-r50.pth
_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='iterbackbone.IterativeResNet',
        depth=50,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/iterative-r50_from-r50.pth',
            prefix='backbone.',
        ),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
custom_hooks = [
    dict(type='iterbackbone.PonderCostHook', weight=0.005, halting_warmup=0),
    dict(
        type='iterbackbone.StageDistillationHook',
        teacher=dict(
            type='mmpretrain.ResNet',
            depth=50,
            out_indices=(0, 1, 2, 3),
            init_cfg=dict(
                type='Pretrained',
                checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
                'resnet50_8xb32_in1k_20210831-ea4938fc.pth',
                prefix='backbone.',
            ),
        ),
    ),
    dict(type='iterbackbone.IterationLogHook'),
]
