# The train images of VOC2007 at a short side of 320 with the usual augmentation; evaluated on val.
_base_ = './voc2007_detection_240.py'
size = (533, 320)
train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=size, ratio_range=(0.7, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(320, 320)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackDetInputs'),
]
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = size
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    batch_sampler=None,  # all crops have one shape
    drop_last=True,
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=4, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
