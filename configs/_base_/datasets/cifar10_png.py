# CIFAR-10 as images in class folders, cifar10/{train,test}/CLASS/*.png below the data root: the whole
# data set or a part of it. The folders in alphabetical order are the classes.
_base_ = './cifar10_archive.py'
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/cifar10'
data_preprocessor = dict(to_rgb=True)  # images are read as BGR
dataset = dict(_delete_=True, type='CustomDataset', data_root=data_root)
load = dict(type='LoadImageFromFile')
train_dataloader = dict(
    dataset=dict(
        data_prefix='train',
        pipeline=[
            load,
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ],
        **dataset,
    )
)
val_dataloader = dict(
    dataset=dict(data_prefix='test', pipeline=[load, dict(type='PackInputs')], **dataset)
)
test_dataloader = val_dataloader
