#!/usr/bin/env bash
# Compiles the locks from the ranges in pyproject.toml. Needs uv (pip install uv) and the package index.
#   scripts/compile_requirements.sh            write both locks (versions already in them are kept)
#   scripts/compile_requirements.sh --upgrade  take the newest versions that the ranges allow
#   scripts/compile_requirements.sh --check    fail when a lock does not fit pyproject.toml any more
set -euo pipefail
cd "$(dirname "$0")/.."

check=0
upgrade=()
case "${1:-}" in
    "") ;;
    --check) check=1 ;;
    --upgrade) upgrade=(--upgrade) ;;
    *) sed -n '2,5p' "$0" >&2; exit 2 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() { # lock, options of `uv pip compile`
    local lock=$1
    shift
    [ -f "$lock" ] && cp "$lock" "$work/$lock"
    uv pip compile --quiet --python-version 3.11 --custom-compile-command scripts/compile_requirements.sh \
        "$@" ${upgrade[@]+"${upgrade[@]}"} pyproject.toml --output-file "$work/$lock"
    if [ "$check" = 0 ]; then
        cp "$work/$lock" "$lock"
    elif ! diff -u "$lock" "$work/$lock"; then
        echo "$lock does not fit pyproject.toml: run scripts/compile_requirements.sh" >&2
        exit 1
    fi
}

# Linux, macOS and Windows, with the tools of `make check`.
compile requirements-cpu.txt --universal --extra dev
# A GPU pod: Linux x86-64 with CUDA 12.
compile requirements-gpu.txt --python-platform x86_64-manylinux_2_28 --extra gpu
