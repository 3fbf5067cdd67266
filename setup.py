"""Packaging. Metadata stands here and nowhere else; pins stand in requirements/constraints.txt."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = re.search(r"__version__ = '(.+)'", (ROOT / 'iterbackbone/__init__.py').read_text())[1]
# What travels inside the package, where OpenMMLab's tools and mim look for it, as in mmdet.
SHIPPED = ('configs', 'tools', 'requirements/constraints.txt', 'model-index.yml')


class BuildWithConfigs(build_py):
    """Copies what is shipped to iterbackbone/.mim/."""

    def run(self):
        super().run()
        if self.editable_mode:  # the checkout's own folders are used
            return
        for name in SHIPPED:
            source, target = ROOT / name, Path(self.build_lib, 'iterbackbone', '.mim', name)
            if source.is_dir():
                ignore = shutil.ignore_patterns('__pycache__')
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignore)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)


EXPORT = ['onnx>=1.17', 'onnxscript>=0.5', 'onnx-ir>=0.1.13', 'onnxruntime>=1.20', 'opencv-python>=4.5']
REPORT = [
    'plotly>=6.0',
    'jinja2>=3.1',
    'pillow>=10.1',
    'matplotlib>=3.7',
    'tqdm>=4.60',
]
DOCS = ['mkdocs-material>=9.6', 'mkdocstrings[python]>=0.29']
# Maintained builds of the OpenMMLab packages. Whoever has the originals installs without extras.
OPENMMLAB = [
    'torchvision',
    'onedl-mmengine>=0.10.12',
    'onedl-mmcv>=2.3.6',
    'onedl-mmdetection>=3.5.1',
    'onedl-mmsegmentation>=1.4.2',
    'onedl-mmpretrain>=1.3.6',
    'ftfy',
    'regex',
    'argcomplete>=3.1',
    *REPORT,
]

setup(
    name='iterbackbone',
    version=VERSION,
    description='Adaptive, weight-shared ResNet for MMDetection, MMSegmentation and MMPretrain',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The iterbackbone authors',
    # The code; the weights in iterbackbone/pretrained have terms of their own, in their cards.
    license='Apache-2.0 AND LicenseRef-ImageNet-non-commercial',
    license_files=['LICENSE'],
    python_requires='>=3.10',
    packages=find_packages(include=['iterbackbone*']),
    package_data={'iterbackbone': ['py.typed', 'report/templates/*', 'pretrained/*.*']},
    include_package_data=False,
    # The last two are those of the evaluation hook, which OpenMMLab's packages do not all bring along.
    install_requires=[
        'torch>=2.1',
        'numpy>=1.24',
        'safetensors>=0.4.3',
        'msgspec>=0.18',
        'scipy>=1.10',
    ],
    extras_require={
        'report': REPORT,
        'openmmlab': OPENMMLAB,
        'export': EXPORT,
        'docs': DOCS,
        'dev': [
            *EXPORT,
            *DOCS,
            'openvino>=2025.0',
            'pytest>=8',
            'pytest-xdist>=3.6',
            'huggingface_hub>=2.0',
            'hypothesis>=6.100',
            'selenium>=4.20',
            'tensorboard>=2.17',
            'timm>=1.0.31',
            'ruff>=0.15',
            'mypy>=1.15',
            'pre-commit',
        ],
    },
    entry_points={'console_scripts': ['iterbackbone = iterbackbone.__main__:main']},
    cmdclass={'build_py': BuildWithConfigs},
    classifiers=[
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Typing :: Typed',
    ],
    zip_safe=False,
)
