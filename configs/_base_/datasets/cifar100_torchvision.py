# CIFAR-100 as torchvision.datasets.CIFAR100(root=DATA_ROOT/cifar100, download=True) left it.
_base_ = './cifar100_archive.py'
train_dataloader = dict(dataset=dict(download=False))
val_dataloader = dict(dataset=dict(download=False))
test_dataloader = val_dataloader
