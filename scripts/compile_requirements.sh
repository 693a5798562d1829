#!/usr/bin/env bash
# Compiles the locks from the ranges in pyproject.toml. Needs uv (pip install uv) and the package index.
#   scripts/compile_requirements.sh            write both locks (versions already in them are kept)
#   scripts/compile_requirements.sh --upgrade  take the newest versions that the ranges allow
#   scripts/compile_requirements.sh --check    fail when a lock does not fit pyproject.toml any more, then as below
#   scripts/compile_requirements.sh --paddle-gpu  print what the extra paddle-gpu resolves to; says so where its index,
#                                              PADDLE_INDEX (environment), cannot be reached
set -euo pipefail
cd "$(dirname "$0")/.."

# The only one with PaddlePaddle's GPU builds, here those of CUDA 12.6.
PADDLE_INDEX="${PADDLE_INDEX:-https://www.paddlepaddle.org.cn/packages/stable/cu126/}"
check=0
upgrade=()
only_paddle=0
case "${1:-}" in
    "") ;;
    --check) check=1 ;;
    --paddle-gpu) only_paddle=1 ;;
    --upgrade) upgrade=(--upgrade) ;;
    *) sed -n '2,7p' "$0" >&2; exit 2 ;;
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

paddle_gpu() { # no lock is kept of it: where the index is away it could not be compared
    local page="${PADDLE_INDEX%/}/paddlepaddle-gpu/"
    if ! python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=20)' "$page" 2>/dev/null; then
        echo "paddlepaddle-gpu: NOT RESOLVED, since $PADDLE_INDEX cannot be reached" >&2
        return
    fi
    uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --no-header --no-annotate \
        --extra-index-url "$PADDLE_INDEX" --extra paddle-gpu pyproject.toml --output-file "$work/paddle-gpu.txt"
    grep -E '^(paddle|nvidia-)' "$work/paddle-gpu.txt"
}

if [ "$only_paddle" = 1 ]; then
    paddle_gpu
    exit
fi
# Linux, macOS and Windows, with the tools of `make check`.
compile requirements-cpu.txt --universal --extra dev
# A GPU pod: Linux x86-64 with CUDA 12.
compile requirements-gpu.txt --python-platform x86_64-manylinux_2_28 --extra gpu
[ "$check" = 0 ] || paddle_gpu
