# The first 100 classes of Tiny-ImageNet for the comparison of block starts.
_base_ = 'cifar.py'
data_root = 'data/tiny-imagenet-100-packed'
model = dict(
    data_preprocessor=dict(
        mean=[122.4, 114.3, 101.4], std=[70.6, 68.6, 71.8], size=64, scale=(0.4, 1.0)
    ),
    head=dict(num_classes=100),
)
train_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root, part='val'))
