#!/usr/bin/env bash
# A real vLLM on the CPU with a tiny random model: the peer of the contract suite, for tests only.
#   scripts/bootstrap_vllm_peer.sh                build it (2.5 GB); a second run only checks
#   scripts/bootstrap_vllm_peer.sh serve [PORT] [tiny|small]   build, then serve on 127.0.0.1 until
#                                                 it is ended; small takes seconds for an answer
#   scripts/bootstrap_vllm_peer.sh test           build, serve, run the suite against it, end it
# VLLM_PEER_HOME is where it is kept. PIP_FIND_LINKS names a folder with torch's CPU wheel where
# download.pytorch.org cannot be reached. It fails where the peer cannot be had: nothing is skipped.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
parts=$here/vllm_peer
home=${VLLM_PEER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/ocr-service/vllm-peer}
venv=$home/venv
ready_within_s=300
. "$here/peer_process.sh"

build() {
    local stamp
    stamp=$(cat "$parts"/lock.txt "$parts"/overrides.txt "$parts"/random_model.py | sha256sum | cut -d' ' -f1)
    if is_built "$stamp"; then return; fi
    new_environment
    rm -rf "$home"/*-vlm
    local index=(--extra-index-url https://download.pytorch.org/whl/cpu --index-strategy unsafe-best-match)
    # uv does not read pip's settings.
    export UV_FIND_LINKS=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}
    if [ -n "$UV_FIND_LINKS" ]; then index=(); else unset UV_FIND_LINKS; fi
    # The byte code now, or each start takes a minute longer.
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode \
        ${index[@]+"${index[@]}"} --override "$parts/overrides.txt" -r "$parts/lock.txt"
    make_model tiny
    echo "$stamp" >"$home/built"
}

make_model() { # size
    PYTHONPATH=$parts/torchvision_shim "$venv/bin/python" "$parts/random_model.py" "$home/new" --size "$1" >&2
    mv "$home/new" "$home/$1-vlm"
}

serve() { # port, size of the model
    [ -d "$home/$2-vlm" ] || make_model "$2"
    export PATH="$venv/bin:$PATH" PYTHONPATH="$parts/torchvision_shim"
    export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
    export VLLM_TARGET_DEVICE=cpu VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1
    # Else the first log-probabilities compile C++ for 18 s, and without a compiler end the engine.
    export TORCHDYNAMO_DISABLE=1
    # Chunked prefill is off: with it a seeded request above temperature 0 ends the engine.
    exec python -m vllm.entrypoints.openai.api_server --model "$home/$2-vlm" --served-model-name "$2" \
        --host 127.0.0.1 --port "$1" --api-key test --max-model-len 4096 --dtype float32 --enforce-eager --seed 0 \
        --no-enable-chunked-prefill --max-num-batched-tokens 8192 \
        --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}' \
        --enable-request-id-headers
}

case "${1:-}" in
    "") build ;;
    serve) build && serve "${2:-8001}" "${3:-tiny}" ;;
    test) build && run_suite "$0" /health VLLM_PEER_URL peer tests ;;
    *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
