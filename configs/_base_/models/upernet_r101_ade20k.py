_base_ = './upernet_r50_ade20k.py'
# ImageNet pre-training: torchvision's ResNet-101.
model = dict(
    backbone=dict(depth=101, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'))
)
