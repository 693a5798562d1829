#!/usr/bin/env bash
# Prepares a GPU pod's network volume once: environments, wheels, caches, weights. Run again it only checks.
#   VLLM_MODEL=Qwen/Qwen2.5-VL-7B-Instruct scripts/bootstrap_gpu.sh
#   scripts/bootstrap_gpu.sh --check     change nothing; fail when something is missing
# Environment: VLLM_MODEL, VLLM_REVISION (a commit; else the card's, else the newest, looked up once and kept in
# REVISION_LOCK), PYTHON (python3.11), WITH_API=1 (for the orchestrator beside it), MIN_FREE_GB (40), and every
# path in pod_environment.sh.
set -euo pipefail
. "$(dirname "$0")/pod_environment.sh"

check=0
case "${1:-}" in
    "") ;;
    --check) check=1 ;;
    *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
: "${VLLM_MODEL:?set VLLM_MODEL to the model to serve}"
# The version that the locks are compiled for.
PYTHON_WANTED="${PYTHON_WANTED:-3.11}"
PYTHON="${PYTHON:-python$PYTHON_WANTED}"
MIN_FREE_GB="${MIN_FREE_GB:-40}"
GPU_LOCK="${GPU_LOCK:-$REPOSITORY/requirements-gpu.txt}"
# What the scripts themselves need; the versions are those of the lock.
TOOLS=(pydantic pyyaml huggingface-hub --constraint "$GPU_LOCK")
# Around the fork's own wheel, which asks for the first three; docs/gpu.md says why these.
TILT_PINS=("torch==2.6.0" "xformers==0.0.29.post2" "transformers==4.51.3" "fastapi>=0.115,<1" "uvicorn>=0.34,<1"
    "pydantic>=2.10,<3" "pillow>=11,<13" "prometheus-client>=0.21,<1")

volume() { # the volume, room on it, and the interpreter that the environments stand on
    "$PYTHON" -c 'import sys, venv; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$PYTHON_WANTED" 2>/dev/null ||
        fail "$PYTHON is not Python $PYTHON_WANTED with venv: choose an image that has it, or set PYTHON"
    [ "$check" = 1 ] || mkdir -p "$WORKSPACE/venvs" "$WHEELHOUSE" "$LOGS" "$HF_HOME" "$PIP_CACHE_DIR" \
        "$PADDLE_PDX_CACHE_HOME" "$VLLM_CACHE_ROOT" "$TRITON_CACHE_DIR" "$TORCHINDUCTOR_CACHE_DIR" \
        "${HOME:-/tmp}" "${TMPDIR:-/tmp}" || # in a container with a read-only root they are on the volume too
        fail "$WORKSPACE cannot be written: is the network volume mounted there?"
    if command -v nvidia-smi >/dev/null; then
        say "GPU: $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -1)"
    else
        say "GPU: none here; the volume can be prepared without"
    fi
}

room() { # before something large is fetched
    local free
    free=$(df -Pk "$WORKSPACE" | awk 'NR == 2 {print int($4 / 1048576)}')
    [ "$free" -ge "$MIN_FREE_GB" ] || fail "$free GB are free on $WORKSPACE, $MIN_FREE_GB are needed (MIN_FREE_GB)"
}

# What an environment was made of. The interpreter counts: a venv is a link to the image's.
fingerprint() { # options of pip, files among them
    local option
    {
        "$PYTHON" -c 'import sys; print(sys.version, sys._base_executable)'
        for option in "$@"; do
            echo "$option"
            [ ! -f "$option" ] || sha256sum <"$option"
        done
    } | sha256sum | cut -d' ' -f1
}

is_made() { # venv, fingerprint, module
    local found="import sys; from importlib.util import find_spec; sys.exit(find_spec('$3') is None)"
    [ "$(cat "$1/.made-of" 2>/dev/null)" = "$2" ] && "$1/bin/python" -c "$found" 2>/dev/null
}

make_venv() { # venv, a module that shows that it is there, what pip is asked for
    local venv=$1 module=$2 made_of pip=("$1/bin/pip" --quiet --disable-pip-version-check)
    shift 2
    made_of=$(fingerprint "$@")
    if is_made "$venv" "$made_of" "$module"; then
        say "$venv: checked"
        return
    fi
    [ "$check" = 0 ] || fail "$venv is missing or out of date: run scripts/bootstrap_gpu.sh"
    room
    rm -rf "$venv"
    "$PYTHON" -m venv "$venv" || fail "$venv could not be made"
    # Wheels first, into the volume: a new image or interpreter gets its environment without a download.
    say "$venv: wheels into $WHEELHOUSE"
    "${pip[@]}" wheel --wheel-dir "$WHEELHOUSE" --find-links "$WHEELHOUSE" "$@" || fail "the wheels of $venv"
    say "$venv: installing"
    "${pip[@]}" install --no-index --find-links "$WHEELHOUSE" "$@" || fail "the installation of $venv"
    "$venv/bin/python" -c "import $module" || fail "$module cannot be imported in $venv"
    # Last: an environment whose making was interrupted has no such file and is made again.
    echo "$made_of" >"$venv/.made-of"
    say "$venv: ready"
}

tilt_wheel() { # the fork's wheel, which an operator builds once (docs/gpu.md)
    local found=("$WHEELHOUSE"/tilt/vllm-*.whl)
    [ -e "${found[0]}" ] || fail "no Arctic-TILT wheel in $WHEELHOUSE/tilt: docs/gpu.md says how to build it"
    [ "${#found[@]}" = 1 ] || fail "several wheels in $WHEELHOUSE/tilt: leave one"
    echo "${found[0]}"
}

weights() {
    local warm=("$TOOLS_VENV/bin/python" "$REPOSITORY/scripts/warm_cache.py" --model "$VLLM_MODEL")
    case "$PINNED_BY" in
        environment | card) warm+=(--revision "$REVISION") ;;
        *) warm+=(--lock "$REVISION_LOCK") ;;
    esac
    if "${warm[@]}" --check; then
        return
    fi
    [ "$check" = 0 ] || fail "the weights of $VLLM_MODEL are not complete: run scripts/bootstrap_gpu.sh"
    room
    "${warm[@]}" || fail "the weights of $VLLM_MODEL could not be fetched"
    read_card # where the lock has just been written
}

volume
# Two pods on one volume: the second waits for the first and then only checks.
if [ "$check" = 0 ] && command -v flock >/dev/null; then
    exec 9>"$WORKSPACE/.bootstrap.lock"
    flock --timeout 3600 9 || fail "another bootstrap has held $WORKSPACE/.bootstrap.lock for an hour"
fi
make_venv "$TOOLS_VENV" yaml "${TOOLS[@]}"
read_card
if [ "$DIALECT" = tilt ]; then
    wheel=$(tilt_wheel) || exit 1
    make_venv "$TILT_VENV" vllm "${TILT_PINS[@]}" "$wheel"
fi
# The orchestrator's packages are in it as well.
if [ "$DIALECT" = chat ] || [ "${WITH_API:-0}" = 1 ]; then
    make_venv "$VLLM_VENV" vllm --requirement "$GPU_LOCK"
fi
weights
say "ready: scripts/start_all.sh ($VLLM_MODEL, card $CARD_ID, dialect $DIALECT, revision ${REVISION:0:12}, pinned by $PINNED_BY)"
