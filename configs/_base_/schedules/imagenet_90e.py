# The paper's recipe: 90 epochs of SGD with momentum, learning rate 0.01, a tenth of it every 30.
# Not in the paper: 256 images a step and He et al.'s weight decay (2016).
_base_ = './cifar_150e.py'
train_cfg = dict(max_epochs=90)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[30, 60], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=256)
