"""Runs the Python recipes of lib/coming_from_transformer_lens.md, as they stand there, and writes what they print to
tests/reference/data/recipes-3.json or recipes-4.json: the major version of the TransformerLens that is installed.

    python tests/reference/record.py recipes      # once with transformer-lens 3.9.0, once with 4.3.0

A recipe whose first line is "# TransformerLens 3" or "# TransformerLens 4" is of that version alone, all others of both. float32, as a
user would run them, on two held-out prompts of 64 tokens. The code is recorded too: a recipe that is edited has to be run again.

With 4.x, `splitInputs` says what a hook on ln1.hook_scale does to a layer's output under split inputs, in families/gpt2: the largest
change by tripling the scale (0: it does nothing), and by hooking attn.v.hook_in instead, where the clean scale does count.
"""

import contextlib
import io
import json
import re
from importlib.metadata import version

import torch

from tiny_model import MODEL_FOLDER, PROMPTS_FILE, ROOT, load_bridge, load_model, load_prompts, sha256, versions


def recipes(major: str) -> list[str]:
    text = (ROOT / "lib/coming_from_transformer_lens.md").read_text()
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    of = lambda code: re.match(r"# TransformerLens (\d)\n", code)
    return [code for code in found if not of(code) or of(code)[1] == major]


def printed(code: str, names: dict) -> list[float]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, dict(names))
    return [float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", out.getvalue())]


def split_inputs() -> dict[str, float]:
    import transformers
    from bridge_families import FOLDER, tokenizer
    from safetensors.torch import load_file
    from transformer_lens.model_bridge import TransformerBridge

    folder = FOLDER / "gpt2"
    model = transformers.GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, tokenizer=tokenizer(), device="cpu", dtype=torch.float32)
    bridge.enable_compatibility_mode(disable_warnings=True)
    tokens = load_file(folder / "reference.safetensors")["tokens"].long()
    _, clean = bridge.run_with_cache(tokens)
    writer, scale = clean["blocks.0.attn.hook_z"][:, :, 1] @ bridge.W_O[0, 1], clean["blocks.1.ln1.hook_scale"]
    v_input = ("blocks.1.hook_v_input", lambda v, hook: v - writer[:, :, None])
    tripled = ("blocks.1.ln1.hook_scale", lambda s, hook: 3 * scale)
    frozen = ("blocks.1.attn.v.hook_in", lambda v, hook: v - writer / scale)

    def output(split: bool, hooks: list) -> torch.Tensor:
        bridge.set_use_split_qkv_input(split)
        with bridge.hooks(fwd_hooks=hooks):
            return bridge.run_with_cache(tokens)[1]["blocks.1.hook_attn_out"]

    moving = output(True, [v_input])
    off = lambda other: float((other - moving).abs().max() / moving.abs().max())
    return {"scaleTripled": off(output(True, [v_input, tripled])), "scaleFrozen": off(output(False, [frozen]))}


def record() -> None:
    major = version("transformer-lens").split(".")[0]
    torch.set_printoptions(precision=7)
    model = load_model(dtype=torch.float32) if major == "3" else load_bridge()
    names = {"model": model, "tokens": load_prompts()[:2, :64]}
    found = {"command": "python tests/reference/record.py recipes", "versions": versions(),
             "weightsSha256": sha256(MODEL_FOLDER / "model.safetensors"), "promptsSha256": sha256(PROMPTS_FILE),
             "recipes": [{"code": code, "printed": printed(code, names)} for code in recipes(major)]}
    if major == "4":
        found["splitInputs"] = split_inputs()
    (ROOT / f"tests/reference/data/recipes-{major}.json").write_text(json.dumps(found, indent=2) + "\n")
    print(f"recipes {major}: {[recipe['printed'] for recipe in found['recipes']]} {found.get('splitInputs', '')}")
