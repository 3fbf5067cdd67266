# Iterative stages of strides 16 and 32 behind the first five of seven stages of EfficientNet-Lite0,
# which stay frozen. Needs timm.
stages_behind_entry = dict(
    base_channels=128,
    num_stages=2,
    max_iterations=(6, 3),
    strides=(1, 2),
    out_indices=(0, 1),
    entry=dict(
        type='mmseg.TIMMBackbone',
        model_name='tf_efficientnet_lite0',
        pretrained=False,
        feature_cls='getter',  # leaves out what stands behind the last map
        out_indices=(3,),
    ),
)
pixels_of_entry = dict(mean=[127.0] * 3, std=[128.0] * 3)
