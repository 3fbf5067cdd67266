_base_ = './upernet_r50_ade20k.py'
# ImageNet pre-training: torchvision's ResNet-152.
model = dict(
    backbone=dict(depth=152, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet152'))
)
