_base_ = './faster-rcnn_r50_fpn_1x_voc2007.py'
# ImageNet pre-training: torchvision's ResNet-152.
model = dict(
    backbone=dict(depth=152, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet152'))
)
