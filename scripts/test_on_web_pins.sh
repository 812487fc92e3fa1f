#!/usr/bin/env bash
# The tests of routes and servers once more, on the FastAPI, Starlette and uvicorn that the host's [web] extra pins.
set -euo pipefail
cd "$(dirname "$0")/.."
pins=.venv/web-pins

list='import importlib.metadata as m; print(*[r.split(";")[0].strip() for r in m.requires("hermes-agent") if "extra == \"web\"" in r])'
read -r -a wanted <<<"$(.venv/bin/python -c "$list")"
if [ "$(cat "$pins/.wanted" 2>/dev/null)" != "${wanted[*]}" ]; then
  rm -rf "$pins"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target "$pins" "${wanted[@]}"
  echo "${wanted[*]}" >"$pins/.wanted"
fi
echo "On ${wanted[*]}"
PYTHONPATH=$PWD/$pins exec .venv/bin/python -P -m pytest tests/api tests/serving -q -n 2 --dist worksteal "$@"
