# CIFAR-100 from the official archive: cifar100/cifar-100-python/ below the data root.
_base_ = './cifar10_archive.py'
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/cifar100'
data_preprocessor = dict(
    num_classes=100,
    mean=[129.304, 124.070, 112.434],
    std=[68.170, 65.392, 70.418],
)
dataset = dict(type='CIFAR100', data_root=data_root)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
