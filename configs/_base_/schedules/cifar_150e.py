# The paper's recipe: 150 epochs of SGD with momentum, learning rate 0.01, a tenth of it every 50.
# Not in the paper: 128 images a step and He et al.'s weight decay (2016).
train_cfg = dict(by_epoch=True, max_epochs=150, val_interval=10)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
)
param_scheduler = [
    dict(type='MultiStepLR', by_epoch=True, milestones=[50, 100], gamma=0.1),
]
auto_scale_lr = dict(base_batch_size=128)
