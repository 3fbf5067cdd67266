# A light FCOS with centre sampling and GIoU on the shipped backbone.
channels, norm = 96, dict(type='GN', num_groups=32, requires_grad=True)
model = dict(
    type='FCOS',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[122.4, 114.3, 101.4],
        std=[70.6, 68.6, 71.8],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='iterbackbone.IterativeResNet',
        depth=50,
        base_channels=32,
        out_indices=(1, 2, 3),
        halting=dict(layer_norm=True),
        init_cfg=dict(
            type='Pretrained', checkpoint='iterbackbone://iterative_resnet50_w32.tiny_imagenet'
        ),
    ),
    neck=dict(
        type='FPN',
        in_channels=[256, 512, 1024],
        out_channels=channels,
        add_extra_convs='on_output',
        num_outs=4,
        relu_before_extra_convs=True,
    ),
    bbox_head=dict(
        type='FCOSHead',
        num_classes=20,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=2,
        strides=[8, 16, 32, 64],
        regress_ranges=((-1, 64), (64, 128), (128, 256), (256, 1e8)),
        norm_cfg=norm,
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
    ),
    test_cfg=dict(
        nms_pre=300, score_thr=0.02, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100
    ),
)
