# The first detector's pyramid and head, trained on with the distilled backbone; hours of a core. It ran
# from the weights that had the name below until commit 2539c75, and its result has that name now.
_base_ = '../../configs/detection/fcos_iterative-r50-w32_fpn_anytime_voc2007-320.py'
work_dir = 'work_dirs/voc_models/distilled_detector'
shipped = dict(
    type='Pretrained', checkpoint='iterbackbone://fcos_iterative_resnet50_w32.voc2007_subset'
)
model = dict(
    backbone=dict(
        init_cfg=dict(checkpoint='iterbackbone://iterative_resnet50_w32.tiny_imagenet_distilled')
    ),
    neck=dict(init_cfg=dict(prefix='neck.', **shipped)),
    bbox_head=dict(init_cfg=dict(prefix='bbox_head.', **shipped)),
)
train_dataloader = dict(batch_size=16, num_workers=1)  # of each of two processes
train_cfg = dict(max_epochs=8, val_interval=8)
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
