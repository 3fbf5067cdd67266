# CIFAR-100 as images in class folders, cifar100/{train,test}/CLASS/*.png below the data root.
_base_ = './cifar10_png.py'
data_root = '{{$ITERBACKBONE_DATA_ROOT:data}}/cifar100'
data_preprocessor = dict(
    num_classes=100,
    mean=[129.304, 124.070, 112.434],
    std=[68.170, 65.392, 70.418],
)
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
