# shellcheck shell=bash
# Where everything of a GPU pod lies; sourced by bootstrap_gpu.sh and start_all.sh, never run.
# Each path may be given by the environment. All are below WORKSPACE, the network volume, so that a
# new pod on the same volume finds its environments, caches and weights there.

export WORKSPACE="${WORKSPACE:-/workspace}"
REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Environments: these scripts' own, vLLM with the orchestrator's packages, and Arctic-TILT's fork.
TOOLS_VENV="${TOOLS_VENV:-$WORKSPACE/venvs/tools}"
VLLM_VENV="${VLLM_VENV:-$WORKSPACE/venvs/vllm}"
TILT_VENV="${TILT_VENV:-$WORKSPACE/venvs/tilt}"
WHEELHOUSE="${WHEELHOUSE:-$WORKSPACE/wheelhouse}"
LOGS="${LOGS:-$WORKSPACE/logs}"
# Commits of models that neither VLLM_REVISION nor their card pins, looked up once and held on to.
export REVISION_LOCK="${REVISION_LOCK:-$WORKSPACE/revisions.json}"

# Caches of the tools, each by the variable that the tool itself reads.
export HF_HOME="${HF_HOME:-$WORKSPACE/cache/huggingface}"
export PIP_CACHE_DIR="${PIP_CACHE_DIR:-$WORKSPACE/cache/pip}"
export PADDLE_PDX_CACHE_HOME="${PADDLE_PDX_CACHE_HOME:-$WORKSPACE/cache/paddlex}"
export VLLM_CACHE_ROOT="${VLLM_CACHE_ROOT:-$WORKSPACE/cache/vllm}"
export TRITON_CACHE_DIR="${TRITON_CACHE_DIR:-$WORKSPACE/cache/triton}"
export TORCHINDUCTOR_CACHE_DIR="${TORCHINDUCTOR_CACHE_DIR:-$WORKSPACE/cache/torchinductor}"
# vLLM reports its use to its makers, and huggingface_hub reports downloads, unless told not to.
export VLLM_NO_USAGE_STATS="${VLLM_NO_USAGE_STATS:-1}"
export DO_NOT_TRACK="${DO_NOT_TRACK:-1}"
export HF_HUB_DISABLE_TELEMETRY="${HF_HUB_DISABLE_TELEMETRY:-1}"

say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }
fail() {
    say "FAILED: $*"
    exit 1
}

# The card of VLLM_MODEL as shell variables: CARD_ID, DIALECT, REVISION, PINNED_BY, CONTEXT_TOKENS, PAGES.
read_card() {
    local card
    card=$(PYTHONPATH="$REPOSITORY" "$TOOLS_VENV/bin/python" "$REPOSITORY/scripts/model_card.py" "$VLLM_MODEL") ||
        fail "the model card of $VLLM_MODEL cannot be read"
    eval "$card"
}
