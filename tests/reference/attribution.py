"""What checkAttribution says of the writer on the first adversarial prompt, from a forward pass of its own in PyTorch (float64).

It computes on the weights as they are stored, without any processing: a head's output leaves out its value bias, which attention passes
on whole, since patterns add up to 1. DLA subtracts the mean of what it is given and weighs the direction with ln_final's weight. Neither
TransformerLens nor anything of lib/ takes part, but for the tokenizer's file.

    python tests/reference/record.py attribution      # or, without TransformerLens, python tests/reference/attribution.py
"""

import hashlib
import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "data/models/tiny-gelu-4l"
PROMPTS = ROOT / "data/prompts/held-out.safetensors"
SAMPLES = 20


class Run:
    """nodes[name] [pos, d_model]; `final`: the last residual stream; `scale` and `logits` of the last position."""

    def __init__(self, config: dict, w: dict[str, torch.Tensor], tokens: torch.Tensor, minus: dict[str, torch.Tensor]):
        """minus: node → what is taken out of what it adds to the stream, [pos, d_model]."""
        self.nodes: dict[str, torch.Tensor] = {}
        eps, heads = config["eps"], config["n_heads"]

        def norm(x: torch.Tensor, name: str) -> torch.Tensor:
            x = x - x.mean(-1, keepdim=True)
            return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * w[f"{name}.w"] + w[f"{name}.b"]

        def written(name: str, output: torch.Tensor) -> torch.Tensor:
            self.nodes[name] = output
            return output - minus[name] if name in minus else output

        length = len(tokens)
        x = written("embed", w["embed.W_E"][tokens]) + written("pos_embed", w["pos_embed.W_pos"][:length])
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        for layer in range(config["n_layers"]):
            at = f"blocks.{layer}"
            read = norm(x, f"{at}.ln1")
            x = x + w[f"{at}.attn.b_O"]
            for h in range(heads):
                q, k = (read @ w[f"{at}.attn.W_{part}"][h] + w[f"{at}.attn.b_{part}"][h] for part in "QK")
                scores = (q @ k.T / math.sqrt(config["d_head"])).masked_fill(~causal, -math.inf)
                value = read @ w[f"{at}.attn.W_V"][h]
                # ln1's bias reaches the values at every position alike, as b_V does: neither is the head's own.
                shared = w[f"{at}.ln1.b"] @ w[f"{at}.attn.W_V"][h]
                W_O = w[f"{at}.attn.W_O"][h]
                x = x + written(f"L{layer}H{h}", scores.softmax(-1) @ (value - shared) @ W_O)
                x = x + (shared + w[f"{at}.attn.b_V"][h]) @ W_O
            inner = norm(x, f"{at}.ln2") @ w[f"{at}.mlp.W_in"] + w[f"{at}.mlp.b_in"]
            gelu = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
            x = x + written(f"MLP{layer}", gelu @ w[f"{at}.mlp.W_out"] + w[f"{at}.mlp.b_out"])
        self.final = x
        last = x[-1] - x[-1].mean()
        self.scale = (last.pow(2).mean() + eps).sqrt()
        self.logits = norm(x, "ln_final")[-1] @ w["unembed.W_U"] + w["unembed.b_U"]


def record() -> None:
    config = json.loads((MODEL / "config.json").read_text())
    assert config["act_fn"] == "gelu" and config["normalization"] == "LN", "the forward pass here is written for these"
    w = {name: x.to(torch.float64) for name, x in load_file(MODEL / "model.safetensors").items()}
    writer = json.loads((MODEL / "cleanup.json").read_text())["writer"]
    prompt = json.loads((MODEL / "adversarial.json").read_text())["prompts"][0]
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    bos = [tokenizer.token_to_id("<|BOS|>")] if config["default_prepend_bos"] else []
    tokens = torch.tensor(bos + encode(prompt["text"]))
    run = lambda minus={}, of=tokens: Run(config, w, of, minus)

    clean = run()
    named = [encode(prompt[key])[0] for key in ("correct", "incorrect") if key in prompt]
    first, second = named or clean.logits.topk(2).indices.tolist()
    difference = lambda r: (r.logits[first] - r.logits[second]).item()
    direction = (w["unembed.W_U"][:, first] - w["unembed.W_U"][:, second]) * w["ln_final.w"]
    dla = lambda c: ((c - c.mean()) / clean.scale @ direction).item()

    out = clean.nodes[writer]
    rest = out.clone()
    rest[0] = 0
    alone = torch.zeros_like(out)
    alone[-1] = out[-1]
    layer = lambda name: int("".join(c if c.isdigit() else " " for c in name).split()[0])
    names = list(clean.nodes)
    reads_later = lambda name: names.index(name) > names.index(writer) and (layer(name) > layer(writer) or name.startswith("MLP"))
    removed = {}
    for where, delta in (("rest", rest), ("position", alone)):
        without = run({writer: delta})
        left = dla(clean.final[-1] - without.final[-1])
        removed[where] = {
            "steps": {name: dla(clean.nodes[name][-1] - without.nodes[name][-1]) for name in names if reads_later(name)},
            "left": left,
            "effect": difference(clean) - difference(without),
        }
    kept, effects = [], []
    for other in load_file(PROMPTS)["tokens"][:SAMPLES, : len(tokens)].to(torch.int64):
        instead = run(of=other).nodes[writer]
        delta = out - instead
        delta[0] = 0
        kept.append(dla(instead[-1]))
        effects.append(difference(clean) - difference(run({writer: delta})))
    mean = lambda values: sum(values) / len(values)
    sha256 = lambda file: hashlib.sha256(file.read_bytes()).hexdigest()
    found = {
        "command": "python tests/reference/record.py attribution",
        "versions": {"torch": torch.__version__},
        "weightsSha256": sha256(MODEL / "model.safetensors"),
        "promptsSha256": sha256(PROMPTS),
        "text": prompt["text"], "tokens": tokens.tolist(), "writer": writer, "answers": [first, second],
        "logitDifference": difference(clean),
        "dla": {name: dla(output[-1]) for name, output in clean.nodes.items()},
        "removed": removed,
        "resampled": {"samples": SAMPLES, "kept": mean(kept), "effect": mean(effects)},
    }
    (ROOT / "tests/reference/data/attribution.json").write_text(json.dumps(found, indent=1) + "\n")
    print(f"attribution: DLA of {writer} {found['dla'][writer]:.4f}, left {removed['rest']['left']:.4f}, "
          f"effect {removed['rest']['effect']:.4f}, resampled {found['resampled']['effect']:.4f}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    record()
