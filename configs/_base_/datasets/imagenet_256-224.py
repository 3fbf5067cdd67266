# ImageNet, imagenet/{train,val}/CLASS/*.JPEG below the data root, cropped as in the paper: short side
# 256, then random 224x224 crops and flips in training, the centre in evaluation.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs32.py'
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/imagenet'
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='ResizeEdge', scale=256, edge='short'),
            dict(type='RandomCrop', crop_size=224),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ],
    )
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
