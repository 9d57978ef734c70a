"""Writes tests/reference/data/<model>.safetensors and .json: hook points, logits and per-position figures of a few prompts.

The first PROMPTS prompts, cut to LENGTH tokens, run through TransformerLens in float64; what is stored is the float32
rounding of the rows named in `positions`. A hook's tensor keeps TransformerLens' dims, with the pos (or query) dim cut down
to those rows; keys of scores and patterns are all there. Masked attention scores are -inf.

clean/<hook>    processed weights
patched/<hook>  the V-input patch of the model's cleanup.json (runs.py)
unprocessed/logits, clean/logits
points/…        per-position values on whole prompts: projection ratios and Figure 5's DLA values
"""

import json
from pathlib import Path

import torch

from expected import digits, groups, heads_only
from runs import (clean_run, direct_logit_attribution, location_hook, locations, node_names, node_output, patched_run,
                  projection_ratio, top2_direction, v_composition)
from tiny_model import MODEL_FOLDER, PROMPTS_FILE, ROOT, Cleanup, load_model, load_prompts, save_safetensors, sha256, versions

PROMPTS = 2
LENGTH = 64
POSITIONS = [0, 1, 5, 14, 31, 62, 63]
INPUT_HOOKS = ("hook_q_input", "hook_k_input", "hook_v_input")
# left out of the file: they repeat another hook exactly, or method.md does not list them
SKIPPED = (*INPUT_HOOKS, "hook_attn_in", "hook_mlp_in", "unembed.hook_in", "unembed.hook_out")


def rows(name: str, x: torch.Tensor, positions: list[int]) -> torch.Tensor:
    """The chosen positions of a hook: dim 2 for scores and patterns [batch, head, query, key], dim 1 otherwise."""
    return x[:, :, positions] if name.endswith(("hook_pattern", "hook_attn_scores")) else x[:, positions]


def weight_sums(model) -> dict:
    """For each processed weight in row-major order: shape, Σ w, ‖w‖ and Σ_i w_i · sin(i + 1), which sees the order too."""
    sums = {}
    for name, w in model.state_dict().items():
        if name.endswith(("mask", "IGNORE")):
            continue
        flat = w.double().flatten()
        wave = torch.sin(torch.arange(1, flat.numel() + 1, dtype=torch.float64))
        sums[name] = {"shape": list(w.shape), "sum": digits(flat.sum(), 9), "norm": digits(flat.norm(), 9),
                      "wave": digits(flat @ wave, 9)}
    return sums


def points(model, tokens: torch.Tensor, cleanup: Cleanup) -> dict[str, torch.Tensor]:
    """Per-position values [batch, pos] on whole prompts, for the writer of cleanup.json."""
    clean = clean_run(model, tokens)
    patched = patched_run(model, tokens, clean, cleanup.writer, cleanup.patched_layers)
    writer = node_output(clean.cache, cleanup.writer)
    nodes = [n for n in node_names(model) if n != cleanup.writer]
    top, direction = top2_direction(model, clean)
    found = {"tokens": tokens, "top2": top, "writer_norm2": (writer * writer).sum(-1)}
    for run_name, run in (("clean", clean), ("patched", patched)):
        for location in locations(model.cfg.n_layers):
            found[f"{run_name}/{location}"] = projection_ratio(run.cache[location_hook(location)], writer)
        for node in nodes:
            found[f"{run_name}/{node}"] = projection_ratio(node_output(run.cache, node), writer)
    found["dla/writer"] = direct_logit_attribution(model, clean, writer, direction)
    for name, members in groups(heads_only(cleanup.cleaners)).items():
        composed = sum(v_composition(model, clean, cleanup.writer, c) for c in members)
        total = sum(node_output(clean.cache, c) for c in members)
        found[f"dla/composition {name}"] = direct_logit_attribution(model, clean, composed, direction)
        found[f"dla/total {name}"] = direct_logit_attribution(model, clean, total, direction)
    return {f"points/{name}": x for name, x in found.items()}


def record(folder: Path = ROOT / "tests/reference/data") -> None:
    torch.set_grad_enabled(False)
    cleanup, prompts = Cleanup.read(), load_prompts()
    tokens = prompts[:PROMPTS, :LENGTH]
    model = load_model()
    logits, cache = model.run_with_cache(tokens)
    tensors = {"tokens": tokens, "positions": torch.tensor(POSITIONS), "clean/logits": logits[:, POSITIONS]}
    for name, x in cache.items():
        if not name.endswith(SKIPPED):
            tensors[f"clean/{name}"] = rows(name, x, POSITIONS)
    unprocessed = load_model(processed=False)(tokens)
    tensors["unprocessed/logits"] = unprocessed[:, POSITIONS]

    clean = clean_run(model, tokens)
    patched = patched_run(model, tokens, clean, cleanup.writer, cleanup.patched_layers)
    tensors["patched/logits"] = patched.logits[:, POSITIONS]
    for name, x in patched.cache.items():
        layer = int(name.split(".")[1]) if name.startswith("blocks.") else -1
        wanted = (*INPUT_HOOKS[2:], "hook_resid_mid", "hook_resid_post", "hook_result")
        if layer >= min(cleanup.patched_layers) and name.endswith(wanted):
            x = x[:, :, :1] if name.endswith("hook_v_input") else x  # every head reads the same: one is kept
            tensors[f"patched/{name}"] = rows(name, x, POSITIONS)
    tensors |= points(model, prompts[:PROMPTS], cleanup)

    float32 = load_model(dtype=torch.float32).run_with_cache(tokens)[1]
    scale = lambda x: x[x.isfinite()].abs().max()
    difference = lambda a, b: torch.where(a.isfinite(), a - b, 0.0).abs().max()  # -inf in both where masked
    float32_error = {name: digits(difference(x, float32[name].double()) / scale(x), 2) for name, x in cache.items()
                     if not name.endswith(SKIPPED)}
    processing = (logits.log_softmax(-1) - unprocessed.log_softmax(-1)).abs().max()

    stored = {name: (x if not x.is_floating_point() else x.float()).contiguous() for name, x in tensors.items()}
    stored = {name: x.to(torch.int32) if x.dtype == torch.int64 else x for name, x in stored.items()}
    file = folder / f"{MODEL_FOLDER.name}.safetensors"
    save_safetensors(file, stored)
    about = {
        "command": "python tests/reference/record.py activations",
        "computation": "TransformerLens HookedTransformer on the CPU: weights processed in float32 (as it always does), forward pass in "
                       "float64, results rounded to float32",
        "versions": versions(),
        "weightsSha256": sha256(MODEL_FOLDER / "model.safetensors"),
        "promptsSha256": sha256(PROMPTS_FILE),
        "prompts": f"the first {PROMPTS}, cut to {LENGTH} tokens; points/: the same prompts whole",
        "positions": POSITIONS,
        "writer": cleanup.writer,
        "patchedLayers": cleanup.patched_layers,
        "leftOut": "hook_q_input, hook_k_input, hook_v_input of the clean run: blocks.l.hook_resid_pre repeated for every head; "
                   "patched/blocks.l.hook_v_input holds head 0 only, since all heads read the same",
        "logProbsChangedByProcessing": digits(processing, 2),
        "float32": {"what": "max |float32 TransformerLens − float64| / max |float64|, by hook", **float32_error},
        "processedWeights": weight_sums(model),
        "shapes": {name: list(x.shape) for name, x in stored.items()},
    }
    Path(f"{file.with_suffix('.json')}").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    print(f"wrote {file.relative_to(ROOT)} ({file.stat().st_size / 1e6:.2f} MB) and its .json")
