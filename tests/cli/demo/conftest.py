"""FFmpeg reads how much it may print once a process: before the first video, whichever test has it."""

from __future__ import annotations

import os

os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # as the command does
