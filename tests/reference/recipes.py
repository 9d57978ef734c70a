"""Runs the Python recipes of the README's "Coming from TransformerLens" and writes what they print to tests/reference/data/recipes.json.

float32, as a user would run them, on two held-out prompts of 64 tokens.
"""

import json

import torch

from tiny_model import MODEL_FOLDER, PROMPTS_FILE, ROOT, Cleanup, head, load_model, load_prompts, sha256, versions


def record() -> None:
    cleanup = Cleanup.read()
    tokens = load_prompts()[:2, :64]
    model = load_model(dtype=torch.float32)
    _, cache = model.run_with_cache(tokens)
    pattern = cache["blocks.2.attn.hook_pattern"][0, 3, 40, 12].item()

    def ablate(z, hook):
        z[:, :, 5] = 0
        return z

    logits = model.run_with_hooks(tokens, fwd_hooks=[("blocks.0.attn.hook_z", ablate)])
    change = (logits - model(tokens)).abs().amax((1, 2)).tolist()

    model.set_use_split_qkv_input(True)
    _, clean = model.run_with_cache(tokens)
    layer, index = head(cleanup.writer)
    writer = clean[f"blocks.{layer}.attn.hook_result"][:, :, index]
    hooks = []
    for later in cleanup.patched_layers:
        hooks.append((f"blocks.{later}.hook_v_input", lambda v, hook: v - writer[:, :, None]))
        hooks.append((f"blocks.{later}.ln1.hook_scale", lambda scale, hook: clean[hook.name]))
    with model.hooks(fwd_hooks=hooks):
        _, patched = model.run_with_cache(tokens)
    ratios = {}
    for name, run in (("clean", clean), ("patched", patched)):
        resid = run["blocks.3.hook_resid_post"]
        ratios[name] = ((resid * writer).sum(-1) / (writer * writer).sum(-1)).quantile(0.5).item()

    found = {"command": "python tests/reference/record.py recipes", "versions": versions(),
             "weightsSha256": sha256(MODEL_FOLDER / "model.safetensors"), "promptsSha256": sha256(PROMPTS_FILE),
             "pattern": pattern, "largestChange": change, "ratios": ratios}
    (ROOT / "tests/reference/data/recipes.json").write_text(json.dumps(found, indent=2) + "\n")
    print(f"recipes: {found['pattern']:.6f}, {change}, {ratios}")
