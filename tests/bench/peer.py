"""A peer of `deno task bench:peer`: what this project measures, as a careful user of another library measures it, timed, with peak memory.

    python tests/bench/peer.py lens3 FOLDER --task figures --prompts 4 --batch 2 --threads 2 --repeat 3

peers   lens3: TransformerLens 3, HookedTransformer; lens4: TransformerLens 4, TransformerBridge of a GPT-2; nnsight: nnsight on that GPT-2
FOLDER  model.safetensors (TransformerLens key names, unprocessed; biases but b_U are not 0), tokens.safetensors (`tokens` [prompt, pos]) and
        rotation.safetensors (`rotation` [rotated, d_model]), as peer_folder.ts writes them

tasks
  residual   a forward pass without logits, no hooks
  forward    logits of every position, no hooks
  cache      everything cached, every head's output too, dropped after each batch
  figures    the three figures from one clean and one patched run, each batch reduced to projection ratios before the next, unembedding
             skipped, no head's output made: the thriftiest use of the library that we know (peer_tasks.py)
  retention  R and the responses of all later nodes of a head and of its output rotated: three runs, reduced in the same way
  scripts    lens3: the three figures as the authors' three scripts run them: 4 forward passes with logits, batched (peer_scripts.py)
  unbatched  `scripts` with every prompt in one batch, at the largest number of prompts (a power of two) expected to stay below --memory GB,
             judged by runs of 1 and 2 prompts in processes of their own

With --turns, the process says {"ready": true, …} when it has loaded, then runs once what each line of its input says, such as "figures 4": the
task and the number of prompts, or "rest 0": memory that nobody uses is given back. It answers {"seconds": …, "cpu": …, "medians": …}. So
`deno task bench:peer` lets several processes take turns, and watches their memory from outside. Else prints one JSON object. `seconds` leaves out loading; `loadedMB` is the resident memory when the model was ready, `peakMB` its
peak from then on (Linux: the kernel's high-water mark, set back after loading).

PyTorch's time here depends on how glibc gives memory back: fresh pages for every large tensor. With
`MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=200000000000 MALLOC_TOP_PAD_=100000000` in the environment `figures` took a third of the time and up
to three times the memory on a 2-core virtual machine. Report both; `malloc` in the output says which it was.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path


def load_peer(name: str, weights):
    if name == "nnsight":
        from peer_nnsight import NNsightPeer

        return NNsightPeer(weights)
    from peer_lens import BridgePeer, HookedTransformerPeer

    return BridgePeer(weights) if name == "lens4" else HookedTransformerPeer(weights)


def once(peer, task: str, tokens, rotation, arguments) -> dict:
    from peer_tasks import Figures, Retention, medians

    batches = tokens.split(arguments.batch or len(tokens))
    if task in ("residual", "forward", "cache"):
        for batch in batches:
            getattr(peer, task)(batch)
        return {}
    if task == "retention":
        measured = Retention(peer, arguments.writer, rotation)
        run = measured.batch
    elif task == "figures":
        measured = Figures(peer, arguments.writer, arguments.cleaner_layer)
        run = measured.thrifty
    else:
        from peer_scripts import Scripts

        measured = Scripts(peer, arguments.writer, arguments.cleaner_layer)
        run = measured.run
    for batch in batches:
        run(batch)
    return medians(measured.parts)


def memory_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak since the last reset_peak) of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024, 1)


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # see proc(5): sets the peak back to the present size


def rest() -> None:
    """Memory that nobody uses goes back to the system, so that what is measured next begins with none of it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def measure(arguments) -> dict:
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    peer = load_peer(arguments.peer, load_file(arguments.folder / "model.safetensors"))
    every = load_file(arguments.folder / "tokens.safetensors")["tokens"].to(torch.int64)[:, : arguments.length]
    rotation = load_file(arguments.folder / "rotation.safetensors")["rotation"]
    about = {
        "peer": arguments.peer,
        "malloc": {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")},
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {name: version(name) for name in (*peer.packages, "torch")} | {"python": platform.python_version()},
    }

    def timed(task: str, prompts: int) -> dict:
        start, cpu = time.perf_counter(), time.process_time()
        medians = once(peer, task, every[:prompts], rotation, arguments)
        took = {"seconds": round(time.perf_counter() - start, 4), "cpu": round(time.process_time() - cpu, 4)}
        return {**took, **({"medians": medians} if medians else {})}

    if arguments.turns:
        print(json.dumps({"ready": True, **about}), flush=True)
        for line in sys.stdin:
            task, prompts = line.split()
            answer = rest() or {} if task == "rest" else timed(task, int(prompts))
            print(json.dumps(answer), flush=True)
        return {}
    rest()
    reset_peak()
    loaded = memory_mb("VmRSS")
    turns = [timed(arguments.task, arguments.prompts) for _ in range(arguments.warmup + arguments.repeat)][arguments.warmup:]
    return {**about, **turns[-1], **{what: [turn[what] for turn in turns] for what in ("seconds", "cpu")}, "peakMB": memory_mb("VmHWM"), "loadedMB": loaded,
            "prompts": min(arguments.prompts, len(every))}


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def in_own_process(arguments, prompts: int, repeat: int) -> dict:
    command = [sys.executable, __file__, arguments.peer, str(arguments.folder), "--task", "scripts", "--batch", "0", "--prompts", str(prompts),
               "--length", str(arguments.length), "--threads", str(arguments.threads), "--repeat", str(repeat), "--warmup", "0",
               "--writer", str(arguments.writer), "--cleaner-layer", str(arguments.cleaner_layer)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def unbatched(arguments) -> dict:
    one, two = (in_own_process(arguments, n, 1)["peakMB"] for n in (1, 2))
    per_prompt = max(two - one, 1.0)
    fits = 1
    while 2 * fits <= arguments.prompts and one + per_prompt * (2 * fits - 1) < arguments.memory * 1024:
        fits *= 2
    found = in_own_process(arguments, fits, arguments.repeat)
    return {**found, "memoryLimitMB": arguments.memory * 1024, "peakPerPromptMB": round(per_prompt, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=("lens3", "lens4", "nnsight"))
    parser.add_argument("folder", type=Path)
    tasks = ("residual", "forward", "cache", "figures", "retention", "scripts", "unbatched")
    parser.add_argument("--task", choices=tasks, default="figures")
    parser.add_argument("--prompts", type=int, default=8, help="number of prompts (unbatched: the most to try)")
    parser.add_argument("--length", type=int, default=1024, help="tokens a prompt")
    parser.add_argument("--batch", type=int, default=2, help="prompts a batch; 0: all in one")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--warmup", type=int, default=1, help="runs before the timed ones")
    parser.add_argument("--turns", action="store_true", help="run once what each line on stdin says")
    parser.add_argument("--memory", type=float, default=8, help="GB that `unbatched` may take")
    parser.add_argument("--writer", type=int, default=2, help="head of layer 0 (default 2: gelu-4l's L0H2)")
    parser.add_argument("--cleaner-layer", type=int, default=2)
    arguments = parser.parse_args()
    if not (arguments.folder / "model.safetensors").exists():
        parser.error(f"{arguments.folder} holds no model.safetensors")
    if arguments.task in ("scripts", "unbatched") and arguments.peer != "lens3":
        parser.error("the authors' scripts are written for TransformerLens 3: lens3")
    print(json.dumps(unbatched(arguments) if arguments.task == "unbatched" else measure(arguments)))


if __name__ == "__main__":
    main()
