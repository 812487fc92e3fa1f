#!/usr/bin/env bash
# Makes .venv: the first Python from 3.11 to 3.13 found, the pinned packages, and this checkout as an editable package.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() { printf '%s\n' "$*" >&2; exit 1; }

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# Sets `python` to a usable interpreter, or stops with what was found instead.
find_python() {
  local candidate version found="" without_venv=""
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
    version=$(version_of "$candidate") || continue
    case $version in
      3.11|3.12|3.13) ;;
      *) found="$version"; continue ;;
    esac
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then python=$candidate; return; fi
    without_venv=$version
  done
  [ -z "$without_venv" ] || stop "Python $without_venv is here without its venv module. Install it (Debian, Ubuntu: apt-get install python$without_venv-venv) and run make again."
  [ -z "$found" ] || stop "Python $found was found, but 3.11, 3.12 or 3.13 is needed. Install one of these, or name it: make setup PYTHON=/path/to/python3.12"
  stop "Python was not found${PYTHON:+ as $PYTHON}. Install Python 3.11, 3.12 or 3.13 and run make again."
}

command -v git >/dev/null || stop "git was not found. Install it (Debian, Ubuntu: apt-get install git; macOS: xcode-select --install) and run make again."

if ! version_of .venv/bin/python >/dev/null; then
  find_python
  echo "Setting up .venv with Python $(version_of "$python"): once, one to three minutes, needs the network." >&2
  "$python" -m venv --clear .venv
fi
pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
pip install -r requirements-dev.txt || stop "The packages could not be installed: the lines above say why. Check the network and run make again."
pip install --no-deps --no-build-isolation --editable . || stop "This checkout could not be installed: the lines above say why."
touch .venv/.ready
