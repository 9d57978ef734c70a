"""The peer of `deno task bench:peer`: Figures 1, 2 and 3 as a TransformerLens user runs them, timed, with peak memory.

    python tests/bench/peer.py WEIGHTS.safetensors --task figures --prompts 8 --batch 2 --threads 2 --repeat 3

WEIGHTS: TransformerLens key names, unprocessed (dimensions are read from the shapes; biases may be missing). Tokens: the tensor
`tokens` [prompt, pos] of --tokens (a safetensors file), else made by the rule in make_tokens, which a peer can repeat.

tasks
  residual   a forward pass without logits, no hooks
  forward    logits of every position, no hooks
  cache      run_with_cache of everything (use_attn_result: hook_result too), dropped after each batch
  figures    the three figures from one clean and one patched run, each batch reduced to projection ratios before the next,
             unembedding skipped: the thriftiest use of TransformerLens that we know
  scripts    the three figures as the authors' three scripts run them: 4 forward passes with logits, batched
  unbatched  `scripts` with every prompt in one batch, at the largest number of prompts (a power of two) expected to stay
             below --memory GB, judged by runs of 1 and 2 prompts in processes of their own

With --turns, the process says {"ready": true} when it has loaded, then runs once for every line that it reads and answers with
{"seconds": …}: so `deno task bench:peer` lets several processes take turns, and watches their memory from outside.

Prints one JSON object on stdout. `seconds` leaves out loading; `loadedMB` is the resident memory when the model was ready, `peakMB`
its peak from then on (Linux: the kernel's high-water mark, set back after loading), `loadPeakMB` the peak while loading. Needs
tests/reference/requirements.txt.

PyTorch's time here depends on how glibc gives memory back: fresh pages for every large tensor. With
`MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=200000000000 MALLOC_TOP_PAD_=100000000` in the environment `figures` took a third of the
time and up to three times the memory on a 2-core virtual machine. Report both; `malloc` in the output says which it was.
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

WRITER_LAYER = 0


def make_tokens(prompts: int, length: int, d_vocab: int):
    """Token id 1 first, then 3 + (i · 7919 + 104729) mod (d_vocab − 3), i counting on through all prompts."""
    import torch

    ids = 3 + (torch.arange(prompts * length, dtype=torch.int64) * 7919 + 104729) % (d_vocab - 3)
    ids = ids.view(prompts, length).clone()
    ids[:, 0] = 1
    return ids


def load_model(weights_file: Path):
    import torch
    from safetensors.torch import load_file
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    weights = load_file(weights_file)
    d_vocab, d_model = weights["embed.W_E"].shape
    n_heads, _, d_head = weights["blocks.0.attn.W_Q"].shape
    model = HookedTransformer(
        HookedTransformerConfig(
            n_layers=sum(name.endswith("attn.W_Q") for name in weights), d_model=d_model, d_head=d_head, n_heads=n_heads,
            d_mlp=weights["blocks.0.mlp.W_in"].shape[1], n_ctx=weights["pos_embed.W_pos"].shape[0], d_vocab=d_vocab,
            act_fn="gelu", normalization_type="LN", eps=1e-5, device="cpu", dtype=torch.float32,
        )
    )
    model.load_and_process_state_dict(weights)
    return model.eval()


def ratio(equation: str, a, b):
    """PR(a, b) = a·b / ‖b‖² by einsum, as in the authors' code (faster than a product and a sum); d: d_model."""
    import torch

    return torch.einsum(equation, a, b / b.norm(dim=-1, keepdim=True).pow(2))


class Figures:
    """Gathers projection ratios batch by batch; `medians` closes each figure."""

    def __init__(self, model, writer: int, cleaner_layer: int):
        n = model.cfg.n_layers
        self.model, self.writer, self.layer = model, writer, cleaner_layer
        self.locations = ["blocks.0.hook_resid_pre"] + [f"blocks.{i}.hook_resid_{part}" for i in range(n) for part in ("mid", "post")]
        self.results = [f"blocks.{i}.attn.hook_result" for i in range(n)]
        self.mlps = [f"blocks.{i}.hook_mlp_out" for i in range(n)]
        self.scale = f"blocks.{cleaner_layer}.ln1.hook_scale"
        self.parts: dict[str, list] = {}

    def add(self, figure: str, values) -> None:
        """values: [what, batch, pos]."""
        self.parts.setdefault(figure, []).append(values)

    def run(self, tokens, names, hooks=(), logits=False):
        with self.model.hooks(fwd_hooks=list(hooks)):
            return self.model.run_with_cache(tokens, names_filter=lambda name: name in names,
                                             return_type="logits" if logits else None)[1]

    def patch(self, cache):
        """The writer out of the V input of every head of the cleaners' layer, LayerNorm scale frozen."""
        writer = cache[self.results[WRITER_LAYER]][:, :, self.writer:self.writer + 1]
        scale = cache[self.scale]
        scale = scale if scale.ndim == 4 else scale[:, :, None]  # a head dim only where the clean run split its inputs
        return [(f"blocks.{self.layer}.hook_v_input", lambda v, hook: v - writer),
                (self.scale, lambda s, hook: scale.expand_as(s))]

    def residuals(self, cache):
        """[location, batch, pos, d_model]"""
        import torch

        return torch.stack([cache[name] for name in self.locations])

    def figure1(self, cache):
        ratios = ratio("lbpd,bphd->lhbp", self.residuals(cache), cache[self.results[WRITER_LAYER]])
        for location, values in zip(self.locations, ratios):
            self.add(f"1 {location}", values)

    def figure2(self, cache):
        import torch

        writer = cache[self.results[WRITER_LAYER]][:, :, self.writer]
        heads = [ratio("bphd,bpd->hbp", cache[name], writer) for name in self.results]
        mlps = [ratio("bpd,bpd->bp", cache[name], writer)[None] for name in self.mlps]
        self.add("2", torch.cat(heads + mlps))

    def figure3(self, cache, writer, run: str):
        self.add(f"3a {run}", ratio("lbpd,bpd->lbp", self.residuals(cache), writer))
        self.add(f"3b {run}", ratio("bphd,bpd->hbp", cache[self.results[self.layer]], writer))

    def thrifty(self, tokens):
        """Two forward passes for all three figures; the input is split by head in the patched run alone, where the hook needs it."""
        self.model.set_use_split_qkv_input(False)
        clean = self.run(tokens, {*self.locations, *self.results, *self.mlps, self.scale})
        writer = clean[self.results[WRITER_LAYER]][:, :, self.writer]
        self.figure1(clean)
        self.figure2(clean)
        self.figure3(clean, writer, "clean")
        self.model.set_use_split_qkv_input(True)
        patched = self.run(tokens, {*self.locations, self.results[self.layer]}, self.patch(clean))
        self.model.set_use_split_qkv_input(False)
        self.figure3(patched, writer, "patched")

    def scripts(self, tokens):
        """Each figure caches for itself, as in the authors' repository."""
        self.model.set_use_split_qkv_input(False)
        self.figure1(self.run(tokens, {*self.locations, self.results[WRITER_LAYER]}, logits=True))
        self.figure2(self.run(tokens, {*self.results, *self.mlps}, logits=True))
        self.model.set_use_split_qkv_input(True)
        wanted = {*self.locations, self.results[WRITER_LAYER], self.results[self.layer], self.scale}
        clean = self.run(tokens, wanted, logits=True)
        writer = clean[self.results[WRITER_LAYER]][:, :, self.writer]
        self.figure3(clean, writer, "clean")
        patched = self.run(tokens, {*self.locations, self.results[self.layer]}, self.patch(clean), logits=True)
        self.model.set_use_split_qkv_input(False)
        self.figure3(patched, writer, "patched")

    def medians(self) -> dict[str, list[float]]:
        """Medians and quartiles are what the figures plot; the medians are printed, so that a peer can compare them."""
        import numpy as np
        import torch

        found = {}
        for figure, parts in self.parts.items():
            values = torch.cat(parts, dim=1).flatten(1).numpy()
            quartiles = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
            found[figure] = [float(f"{m:.5g}") for m in quartiles[1]]
        return found


def once(model, tokens, arguments) -> dict:
    task, batches = arguments.task, tokens.split(arguments.batch or len(tokens))
    model.set_use_attn_result(task not in ("forward", "residual"))
    if task in ("forward", "residual"):
        for batch in batches:
            model(batch, return_type="logits" if task == "forward" else None)
        return {}
    if task == "cache":
        for batch in batches:
            model.run_with_cache(batch)
        return {}
    figures = Figures(model, arguments.writer, arguments.cleaner_layer)
    for batch in batches:
        figures.thrifty(batch) if task == "figures" else figures.scripts(batch)
    return figures.medians()


def memory_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak since the last reset_peak) of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024, 1)


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # see proc(5): sets the peak back to the present size


def measure(arguments) -> dict:
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    model = load_model(arguments.weights)
    if arguments.tokens:
        tokens = load_file(arguments.tokens)["tokens"].to(torch.int64)[:arguments.prompts, :arguments.length]
    else:
        tokens = make_tokens(arguments.prompts, arguments.length, model.cfg.d_vocab)
    gc.collect()
    load_peak = memory_mb("VmHWM")
    ctypes.CDLL(None).malloc_trim(0)  # memory that loading has freed is not the tasks'
    reset_peak()
    loaded = memory_mb("VmRSS")
    seconds, medians = [], {}
    if arguments.turns:
        print(json.dumps({"ready": True}), flush=True)
    for repeat in sys.stdin if arguments.turns else range(arguments.warmup + arguments.repeat):
        start = time.perf_counter()
        medians = once(model, tokens, arguments)
        if arguments.turns or repeat >= arguments.warmup:
            seconds.append(round(time.perf_counter() - start, 4))
        if arguments.turns:
            print(json.dumps({"seconds": seconds[-1]}), flush=True)
    return {
        "task": arguments.task, "seconds": seconds, "peakMB": memory_mb("VmHWM"), "loadedMB": loaded, "loadPeakMB": load_peak,
        "prompts": tokens.shape[0], "length": tokens.shape[1], "tokens": tokens.numel(), "batch": arguments.batch or tokens.shape[0],
        "threads": torch.get_num_threads(), "writer": arguments.writer, "cleanerLayer": arguments.cleaner_layer,
        "malloc": {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")},
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(),
                     **{name: version(name) for name in ("torch", "transformer-lens", "numpy", "safetensors")}},
        **({"medians": medians} if medians else {}),
    }


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def in_own_process(arguments, prompts: int, repeat: int) -> dict:
    command = [sys.executable, __file__, str(arguments.weights), "--task", "scripts", "--batch", "0", "--prompts", str(prompts),
               "--length", str(arguments.length), "--threads", str(arguments.threads), "--repeat", str(repeat), "--warmup", "0",
               "--writer", str(arguments.writer), "--cleaner-layer", str(arguments.cleaner_layer)]
    command += ["--tokens", str(arguments.tokens)] if arguments.tokens else []
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def unbatched(arguments) -> dict:
    one, two = (in_own_process(arguments, n, 1)["peakMB"] for n in (1, 2))
    per_prompt = max(two - one, 1.0)
    fits = 1
    while 2 * fits <= arguments.prompts and one + per_prompt * (2 * fits - 1) < arguments.memory * 1024:
        fits *= 2
    found = in_own_process(arguments, fits, arguments.repeat)
    return {**found, "task": "unbatched", "memoryLimitMB": arguments.memory * 1024, "peakPerPromptMB": round(per_prompt, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--task", choices=("residual", "forward", "cache", "figures", "scripts", "unbatched"), default="figures")
    parser.add_argument("--tokens", type=Path, help="safetensors file with `tokens` [prompt, pos]")
    parser.add_argument("--prompts", type=int, default=8, help="number of prompts (unbatched: the most to try)")
    parser.add_argument("--length", type=int, default=1024, help="tokens a prompt")
    parser.add_argument("--batch", type=int, default=2, help="prompts a batch; 0: all in one")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--warmup", type=int, default=1, help="runs before the timed ones")
    parser.add_argument("--turns", action="store_true", help="run once for each line on stdin, instead of --warmup and --repeat")
    parser.add_argument("--memory", type=float, default=8, help="GB that `unbatched` may take")
    parser.add_argument("--writer", type=int, default=2, help="head of layer 0 (default 2: gelu-4l's L0H2)")
    parser.add_argument("--cleaner-layer", type=int, default=2)
    arguments = parser.parse_args()
    if not arguments.weights.exists():
        parser.error(f"{arguments.weights} does not exist")
    print(json.dumps(unbatched(arguments) if arguments.task == "unbatched" else measure(arguments)))


if __name__ == "__main__":
    main()
