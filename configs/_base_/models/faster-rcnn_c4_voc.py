# The paper's detector: stages 0-2 are the backbone, stage 3 is the RoI head after RoIAlign.
# 512 RPN channels (mmdet's base has 1024) give the paper's parameter ratio; 300 proposals
# in test (mmdet's base has 1000), since stage 3 runs on each of them.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50-caffe-c4.py'
norm_cfg = dict(type='BN', requires_grad=False)
pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet50')
model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    ),
    backbone=dict(style='pytorch', init_cfg=pretrained),
    rpn_head=dict(feat_channels=512),
    roi_head=dict(
        shared_head=dict(style='pytorch', init_cfg=pretrained), bbox_head=dict(num_classes=20)
    ),
    test_cfg=dict(rpn=dict(max_per_img=300)),
)
