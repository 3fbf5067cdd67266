#!/usr/bin/env bash
# Creates or repairs the virtual environment with the versions of requirements/constraints.txt.
# PYTHON: the interpreter; VENV: the folder; PIP_FIND_LINKS: folders with wheels, as for pip;
# MAX_JOBS: processes that compile mmcv, all cores by default.
set -euo pipefail
python=${PYTHON:-python3.11}
venv=${VENV:-.venv}
say() { printf '\n== %s\n' "$*"; }
fail() { echo "$*" >&2; exit 1; }

command -v "$python" >/dev/null || fail "Python not found: $python. Install Python 3.11 or set PYTHON=..."
"$python" - <<'PY' || fail 'A library is missing: apt-get install libgl1 libglib2.0-0'
import ctypes
for name in ('libGL.so.1', 'libglib-2.0.so.0'):  # OpenCV's
    ctypes.CDLL(name)
PY
say "virtual environment $venv ($("$python" --version))"
"$python" -m venv "$venv"  # also completes one that was left half made
pip=("$venv/bin/python" -m pip --disable-pip-version-check)
# The constraints hold for build environments too: setuptools 82 has no pkg_resources.
export PIP_CONSTRAINT=$PWD/requirements/constraints.txt

say "PyTorch (downloads a few gigabytes the first time)"
"${pip[@]}" install --quiet setuptools wheel numpy torch torchvision

# A compiled mmcv serves one version of torch only, so that version names the wheel's folder.
torch=$("$venv/bin/python" -c 'import torch; print(torch.__version__)')
wheels=$venv/wheels/torch-$torch
if ! "$venv/bin/python" -c 'import mmcv.ops' 2>/dev/null; then
    mkdir -p "$wheels"
    if "${pip[@]}" download --quiet --no-deps --only-binary :all: --find-links "$wheels" \
        --dest "$wheels" onedl-mmcv 2>"$wheels/download.log"; then
        say "mmcv (a wheel is at hand)"
    else
        say "mmcv (no wheel at hand: compiles 78 files, about 12 minutes on two cores)"
        command -v c++ >/dev/null || fail 'A C++ compiler is needed: apt-get install g++'
        "${pip[@]}" install --quiet psutil ninja
        MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} "${pip[@]}" wheel --verbose --no-deps \
            --no-build-isolation --wheel-dir "$wheels" onedl-mmcv
    fi
    "${pip[@]}" install --quiet --find-links "$wheels" onedl-mmcv
    "${pip[@]}" install --quiet --find-links "$wheels" --no-deps --force-reinstall onedl-mmcv
    "$venv/bin/python" -c 'import mmcv.ops' || fail 'mmcv is installed but does not load, see above'
fi

say "OpenMMLab, iterbackbone and its development tools"
"${pip[@]}" install --quiet --no-build-isolation --editable '.[openmmlab,dev]'
"${pip[@]}" check
say "ready: $venv"
