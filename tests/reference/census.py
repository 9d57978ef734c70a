"""The measures of a census, in PyTorch and from their definitions: contraction, cosines with the stream, self-repair with its split.

    python tests/reference/census.py data/models/tiny-gelu-4l data/prompts/held-out.safetensors --rotations out/rotations.safetensors \
      --count 4 --length 48 --nodes L1H5,L2H4,MLP3,L1H2 --out tests/reference/data/census-tiny-gelu-4l.json

`rotations` [draw, d_model, to]: draw 0 turns a row vector, w @ Q; the first rotation of the TypeScript run, so that both have the same one.
Position 0 counts nowhere but in `first`; in self-repair the last position, which has no next token, does not count either.

contraction: by layer, the median over tokens of (x_end − x'_end)·δ / ‖δ‖², δ = Q of what head i (mod heads) writes on prompt i.
cosines: what attention or the MLP adds (b_O, b_out included), with the stream that it is added to, both centred.
self-repair: the node writes what it writes on the next prompt. u: the right token's unembedding over the clean final scale. DE = w·u;
repair = (logit' − logit) − (DE' − DE), with its own final scale in logit'; heads, mlps: Σ over later ones of (c' − c)·u; norm: the rest.
Shares: Σ x · part / Σ x² with x = (w − w')·u. top: means over the 2 % of tokens with the largest DE.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from retention import Clean, apart, other_run, place, removal_of
from retention_models import Embedded


def centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(-1, keepdim=True)


def contraction(clean: Clean, Q: torch.Tensor) -> list[float]:
    model, found = clean.model, []
    for layer in range(model.n_layers):
        w = torch.stack([clean.node(f"L{layer}H{i % model.n_heads}")[i] for i in range(len(clean.end))])
        delta = apart(w) @ Q
        other = other_run(clean, removal_of(f"L{layer}H0", delta), False)
        *_, end = other.stream.values()
        R = ((clean.end - end) * delta).sum(-1) / delta.pow(2).sum(-1)
        found.append(float(np.median(R[:, 1:].numpy())))
    return found


def cosines(clean: Clean, turned: Clean) -> list[dict]:
    rows = []
    for layer in range(clean.model.n_layers):
        at = ["resid_pre0" if layer == 0 else f"resid_post{layer - 1}", f"resid_mid{layer}", f"resid_post{layer}"]
        for kind, before, after in (("attn", at[0], at[1]), ("mlp", at[1], at[2])):
            stream = centred(clean.run.stream[before])
            added = [centred(run.stream[after] - run.stream[before]) for run in (clean.run, turned.run)]
            own, control = (torch.cosine_similarity(x, stream, dim=-1) for x in added)
            share = added[0].norm(dim=-1) / stream.norm(dim=-1)
            rows.append({"layer": layer, "sublayer": kind, "cosine": float(own[:, 1:].mean()), "control": float(control[:, 1:].mean()),
                         "opposed": float((own[:, 1:] < -0.1).double().mean()), "share": float(share[:, 1:].mean()), "first": float(own[:, 0].mean())})
    return rows


def self_repair(clean: Clean, turned: Clean, tokens: torch.Tensor, node: str, Q: torch.Tensor | None) -> dict:
    model = clean.model
    right = torch.roll(tokens, -1, 1)
    u = model.W_U(right)  # [batch, pos, d_model]
    w, instead = clean.node(node), turned.node(node)
    delta = apart(w - instead) if Q is None else apart(w - instead) @ Q
    other = other_run(clean, removal_of(node, delta), False)
    scale = clean.run.scale["final"]
    logit = lambda run: (centred(run.stream[f"resid_post{model.n_layers - 1}"]) / run.scale["final"] * u).sum(-1)
    direct = lambda c: (c / scale * u).sum(-1)
    ablated = w - delta
    repair = (logit(other) - logit(clean.run)) - (direct(ablated) - direct(w))
    heads, mlps = torch.zeros_like(repair), torch.zeros_like(repair)
    layer, head = place(node)
    for later in range(layer, model.n_layers):
        if later > layer:
            for h in range(model.n_heads):
                before, after = (run.z[later][:, :, h] @ model.W_O(later)[h] for run in (clean.run, other))
                heads += direct(after) - direct(before)
        if later > layer or head is not None:
            mlps += direct(other.mlp[later]) - direct(clean.run.mlp[later])
    counted = lambda x: x[:, 1:-1].flatten()
    x, de = counted(direct(delta)), counted(direct(w))
    parts = {"total": counted(repair), "heads": counted(heads), "mlps": counted(mlps), "norm": counted(repair - heads - mlps)}
    top = de.argsort(descending=True)[: max(1, int(0.02 * len(de)))]
    return {"node": node, "directEffect": float(de.pow(2).mean().sqrt()), **{name: float((x * part).sum() / x.pow(2).sum()) for name, part in parts.items()},
            "top": {"directEffect": float(de[top].mean()), "exchanged": float(x[top].mean()), **{name: float(part[top].mean()) for name, part in parts.items()}}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--rotations", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--length", type=int, default=48)
    parser.add_argument("--nodes", type=lambda text: text.split(","), required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = Embedded(args.model)
    tokens = load_file(args.prompts)["tokens"][: args.count, : args.length].long()
    Q = load_file(args.rotations)["rotations"][0].double()
    with torch.no_grad():
        clean, turned = Clean(model, tokens), Clean(model, torch.roll(tokens, -1, 0))
        found = {
            "by": "tests/reference/census.py, float64", "count": args.count, "length": args.length,
            "contraction": contraction(clean, Q), "cosines": cosines(clean, turned),
            "selfRepair": [self_repair(clean, turned, tokens, node, None) for node in args.nodes],
            "control": [self_repair(clean, turned, tokens, node, Q) for node in args.nodes],
        }
    rows = lambda value: "[\n" + ",\n".join("  " + json.dumps(row) for row in value) + "\n ]" if value and isinstance(value, list) else json.dumps(value)
    args.out.write_text("{\n" + ",\n".join(f" {json.dumps(key)}: {rows(value)}" for key, value in found.items()) + "\n}\n")


main()
