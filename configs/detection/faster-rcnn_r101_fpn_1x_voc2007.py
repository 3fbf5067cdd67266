_base_ = './faster-rcnn_r50_fpn_1x_voc2007.py'
# ImageNet pre-training: torchvision's ResNet-101.
model = dict(
    backbone=dict(depth=101, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'))
)
