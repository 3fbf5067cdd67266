_base_ = [
    '../_base_/models/upernet_iterative-r50_ade20k.py',
    '../_base_/datasets/ade20k_512x512.py',
    '../_base_/schedules/schedule_80k.py',
    '../_base_/segmentation_runtime.py',
]
# A drop-in example at output stride 8: the last two stages keep their size and dilate instead.
model = dict(
    backbone=dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)),
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        in_channels=2048,
        in_index=3,
        dilations=(1, 12, 24, 36),
        c1_in_channels=256,
        c1_channels=48,
    ),
)
