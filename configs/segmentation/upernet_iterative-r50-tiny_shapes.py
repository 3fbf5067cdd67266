# The quickstart of segmentation: a narrow UPerNet on the generated scenes, minutes on two CPU cores.
_base_ = [
    '../_base_/models/upernet_iterative-tiny.py',
    '../_base_/datasets/shapes_segmentation.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/segmentation_runtime.py',
]
# Nine of ten pixels are background: unweighted, minutes of training find nothing else.
loss = dict(class_weight=[0.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
model = dict(
    data_preprocessor=dict(size=(96, 128)),
    decode_head=dict(num_classes=7, loss_decode=loss),
    auxiliary_head=dict(num_classes=7, loss_decode=loss),
)
train_cfg = dict(max_epochs=20, val_interval=20)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', convert_to_iter_based=True),
]
optim_wrapper = dict(optimizer=dict(lr=0.004))
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=20),
    checkpoint=dict(type='CheckpointHook', interval=5, max_keep_ckpts=2),
    visualization=dict(type='SegVisualizationHook'),
)
randomness = dict(seed=0)
