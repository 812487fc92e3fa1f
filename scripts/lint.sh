#!/usr/bin/env bash
# ruff, then mypy --strict on the package under its real name (the checkout's folder may have any other).
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

.venv/bin/ruff check --quiet . || failed=1
.venv/bin/ruff format --check --quiet . || { echo "Not formatted: run .venv/bin/ruff format ."; failed=1; }

alias_dir=.mypy_cache/alias
mkdir -p "$alias_dir"
ln -sfn "$PWD" "$alias_dir/karpathy_self_improve"
MYPYPATH=$alias_dir .venv/bin/mypy -p karpathy_self_improve | sed "s#^$alias_dir/karpathy_self_improve/##" || failed=1
exit $failed
