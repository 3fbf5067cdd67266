# One detector for every budget, behind a frozen entry: EfficientNet-Lite0's early stages. Its backbone
# starts from the shipped detector's; experiments/voc_models/entry_detector.py trained that one.
_base_ = [
    '../_base_/entries/efficientnet_lite0.py',
    './fcos_iterative-r50-w32_fpn_anytime_voc2007-320.py',
]
model = dict(
    data_preprocessor=_base_.pixels_of_entry,
    backbone=dict(
        **_base_.stages_behind_entry,
        init_cfg=dict(
            checkpoint='iterbackbone://fcos_efficientnet_lite0_iterative.voc2007_subset',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[512, 1024], num_outs=3),
    bbox_head=dict(strides=[16, 32, 64], regress_ranges=((-1, 128), (128, 256), (256, 1e8))),
)
train_dataloader = dict(batch_size=16)
train_cfg = dict(max_epochs=8, val_interval=8)
