#!/usr/bin/env bash
# Saltflat and PyTorch alternately on one card: training steps, Hessian products and forms, the alignment, peak memory; a Markdown
# table with ratios on stdout, every measurement in gpu.json.
#
#   scripts/bench/gpu.sh                               # --device gpu against PyTorch on CUDA, 7 repetitions
#   scripts/bench/gpu.sh --modes "eager tf32"           # not torch.compile
#   scripts/bench/gpu.sh --peer PATH                   # a binary of the example `peer` instead of building it
#   scripts/bench/gpu.sh --device llvmpipe --torch-device cpu --modes eager --small   # the script itself, without a card
#
# Needs python3 with torch (scripts/requirements.txt) and, to build, cargo. For the SPIR-V kernels build the peer with
# `cargo build --release --workspace --bins --example peer --features saltflat/spirv`.
set -euo pipefail
cd "$(dirname "$0")/../.."

device=gpu torch_device=cuda repeat=7 json=gpu.json peer=()
modes=(eager tf32 compile)
tasks=(
    "step resnet18@256" "grad resnet18@256" "hvp resnet18@256" "probes resnet18@256" "gram resnet18" "alignment resnet18"
    "step vgg19@256" "grad vgg19@256" "hvp vgg19@256" "probes vgg19@256" "gram vgg19" "alignment vgg19"
)
while [ $# -gt 0 ]; do
    case $1 in
        --device) device=$2; shift 2 ;;
        --torch-device) torch_device=$2; shift 2 ;;
        --modes) read -ra modes <<<"$2"; shift 2 ;;
        --peer) peer=(--ours "$2"); shift 2 ;;
        --repeat) repeat=$2; shift 2 ;;
        --json) json=$2; shift 2 ;;
        --small) tasks=("step mlp@16" "grad mlp@16" "hvp mlp@16" "probes mlp@16" "gram mlp"); shift ;;
        *) echo "gpu.sh: expected --device, --torch-device, --modes, --peer, --repeat, --json or --small, got $1" >&2; exit 2 ;;
    esac
done
exec python3 scripts/bench/peers.py --device "$device" --torch-device "$torch_device" --modes "${modes[@]}" \
    --tasks "${tasks[@]}" --repeat "$repeat" --json "$json" "${peer[@]}"
