# The paper's detector made light: three stages see the image, the fourth sees each region, which
# stops at its own depth. Trained at all depths from the shipped backbone, minutes on a GPU.
_base_ = [
    '../_base_/models/faster-rcnn_iterative_c4_voc.py',
    '../_base_/datasets/voc2007_detection_320.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/detection_runtime.py',
    '../_base_/anytime_hooks.py',
]
channels = 512  # of the third stage
start = dict(
    base_channels=32,
    last_gamma=0.1,
    last_relu=False,
    halting=dict(layer_norm=True),
    init_cfg=dict(
        type='Pretrained',
        checkpoint='iterbackbone://iterative_resnet50_w32.tiny_imagenet',
        prefix='backbone.',
    ),
)
model = dict(
    data_preprocessor=dict(mean=[122.4, 114.3, 101.4], std=[70.6, 68.6, 71.8]),
    backbone=start,
    rpn_head=dict(in_channels=channels, feat_channels=96),
    roi_head=dict(
        shared_head=start,
        bbox_roi_extractor=dict(roi_layer=dict(output_size=8, sampling_ratio=2), out_channels=channels),
        bbox_head=dict(in_channels=2 * channels, roi_feat_size=4),
    ),
    train_cfg=dict(rpn_proposal=dict(nms_pre=1000, max_per_img=300), rcnn=dict(sampler=dict(num=64))),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=200)),
)
train_cfg = dict(max_epochs=12, val_interval=12)
optim_wrapper = dict(optimizer=dict(lr=0.001))
custom_hooks = _base_.anytime_hooks
default_hooks = dict(logger=dict(interval=20))
randomness = dict(seed=0)
