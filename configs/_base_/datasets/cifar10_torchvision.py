# CIFAR-10 as torchvision.datasets.CIFAR10(root=DATA_ROOT/cifar10, download=True) left it: the very
# folder of the official archive, which mmpretrain then only checks and reads.
_base_ = './cifar10_archive.py'
train_dataloader = dict(dataset=dict(download=False))
val_dataloader = dict(dataset=dict(download=False))
test_dataloader = val_dataloader
