#!/usr/bin/env bash
# Creates or repairs the virtual environment with the versions of requirements/constraints.txt.
# PYTHON: the interpreter; VENV: the folder; PIP_FIND_LINKS: folders with wheels, as for pip.
set -euo pipefail
python=${PYTHON:-python3.11}
venv=${VENV:-.venv}
say() { printf '\n== %s\n' "$*"; }

command -v "$python" >/dev/null || {
    echo "Python not found: $python. Install Python 3.11 or set PYTHON=/path/to/python3.11" >&2
    exit 1
}
say "virtual environment $venv ($("$python" --version))"
"$python" -m venv "$venv"  # also completes one that was left half made
pip=("$venv/bin/python" -m pip --disable-pip-version-check)
# The constraints hold for build environments too: setuptools 81 has no pkg_resources.
export PIP_CONSTRAINT=$PWD/requirements/constraints.txt

say "PyTorch (downloads about 3 GB the first time)"
"${pip[@]}" install --quiet setuptools wheel numpy torch torchvision

if ! "$venv/bin/python" -c 'import mmcv.ops' 2>/dev/null; then
    if "${pip[@]}" download --quiet --no-deps --only-binary :all: --dest "$venv/wheels" onedl-mmcv 2>/dev/null; then
        say "mmcv (a wheel is at hand)"
    else
        say "mmcv (no wheel at hand: compiles 78 files, about 12 minutes on two cores)"
        command -v c++ >/dev/null || { echo "A C++ compiler is needed: apt-get install g++" >&2; exit 1; }
        "${pip[@]}" install --quiet psutil ninja
        MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} "${pip[@]}" wheel --verbose --no-deps \
            --no-build-isolation --wheel-dir "$venv/wheels" onedl-mmcv
    fi
    "${pip[@]}" install --quiet --find-links "$venv/wheels" onedl-mmcv
    "$venv/bin/python" -c 'import mmcv.ops'
fi

say "OpenMMLab, iterbackbone and its development tools"
"${pip[@]}" install --quiet --no-build-isolation --editable '.[openmmlab,dev]'
"$venv/bin/python" -m pip check
say "ready: $venv"
