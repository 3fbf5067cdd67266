_base_ = [
    '../_base_/models/faster-rcnn_c4_voc.py',
    '../_base_/datasets/voc2007_detection.py',
    '../_base_/schedules/voc2007_1x.py',
    '../_base_/detection_runtime.py',
]
# ImageNet pre-training: torchvision's ResNet-152, stem and stage 1 frozen, BatchNorm frozen.
pretrained = dict(type='Pretrained', checkpoint='torchvision://resnet152')
model = dict(
    backbone=dict(depth=152, init_cfg=pretrained),
    roi_head=dict(shared_head=dict(depth=152, init_cfg=pretrained)),
)
