# One detector for every budget, behind a frozen entry: EfficientNet-Lite0's early stages.
# experiments/voc_models/entry_start.py writes what it starts from.
_base_ = './fcos_iterative-r50-w32_fpn_anytime_voc2007-320.py'
max_epochs = 10
model = dict(
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        base_channels=64,
        num_stages=3,
        max_iterations=(4, 6, 3),
        strides=(1, 2, 2),
        out_indices=(0, 1, 2),
        entry=dict(
            type='mmseg.TIMMBackbone',  # needs timm
            model_name='tf_efficientnet_lite0',
            pretrained=False,
            feature_cls='getter',  # leaves out what stands behind the last map
            out_indices=(2,),
        ),
        init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint='work_dirs/voc_models/entry_start.pth'
        ),
    ),
)
train_dataloader = dict(batch_size=16)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, convert_to_iter_based=True),
]
