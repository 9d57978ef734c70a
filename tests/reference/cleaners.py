"""Cleaners in detail, in PyTorch and from the definitions, with every logit written out and torch's own SVD.

    python tests/reference/cleaners.py data/models/tiny-gelu-4l data/prompts/held-out.safetensors --rotations out/rotations.safetensors \
      --writer L1H5 --heads L2H4,L3H1 --mlps MLP2,MLP3 --out tests/reference/data/cleaners-tiny-gelu-4l.json

Position 0 is left alone. Without the writer's output w (or w @ Q, Q = rotations[0]) the model runs again; c, c' are what a node writes in the two runs.
Responses: Σ (c − c')·δ / Σ ‖δ‖². By neuron: of post_i W_out[i]. By singular direction k of W_V W_O = U S V': of (c·v_k) v_k.
opposed: −Σ L(c)·L(x − w) / Σ L(x − w)², x the stream that the node reads, L(·) the logits over the clean final scale less their mean;
control: the same with what the node writes on the next prompt. lens: at each location Σ Δ·w / Σ ‖w‖², Σ L(Δ)·L(w) / Σ L(w)², √(Σ L(Δ)² / Σ L(w)²).
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from retention import Clean, apart, other_run, place, removal_of, written
from retention_models import Embedded


def centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(-1, keepdim=True)


def posts(model: Embedded, run, layer: int) -> torch.Tensor:
    """[batch, pos, neuron]"""
    b = model.layers[layer]
    return F.gelu(centred(run.stream[f"resid_mid{layer}"]) / run.scale[f"ln2.{layer}"] @ b["W_in"] + b["b_in"])


def entering(run, layer: int) -> torch.Tensor:
    return run.stream["resid_pre0" if layer == 0 else f"resid_post{layer - 1}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--rotations", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--length", type=int, default=48)
    parser.add_argument("--writer", required=True)
    parser.add_argument("--heads", type=lambda text: text.split(","), required=True)
    parser.add_argument("--mlps", type=lambda text: text.split(","), required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    model = Embedded(args.model)
    tokens = load_file(args.prompts)["tokens"][: args.count, : args.length].long()
    Q = load_file(args.rotations)["rotations"][0].double()
    clean, turned = Clean(model, tokens), Clean(model, torch.roll(tokens, -1, 0))
    w = apart(clean.node(args.writer))
    total = lambda a, b: float((a * b).sum())
    logits = lambda x: centred(centred(x) / clean.run.scale["final"] @ model.p.W_U_)
    found = {"by": "tests/reference/cleaners.py, float64", "count": args.count, "length": args.length, "writer": args.writer,
             "heads": [], "mlps": [], "suppression": [], "lens": []}
    removals = [removal_of(args.writer, delta) for delta in (w, w @ Q)]
    others = [other_run(clean, removal, False) for removal in removals]

    for name in args.heads:
        layer, head = place(name)
        b = model.layers[layer]
        U, S, Vh = torch.linalg.svd(b["W_V"][head] @ b["W_O"][head], full_matrices=False)
        V = Vh[: model.d_head]  # [k, d_model]
        of = lambda run: run.z[layer][:, :, head] @ b["W_O"][head]
        by_run = [[total((of(clean.run) - of(other)) @ v, r.delta @ v) / total(r.delta, r.delta) for v in V] for r, other in zip(removals, others)]
        found["heads"].append({"node": name, "sigma": S[: model.d_head].tolist(), "cosine": [float(U[:, k] @ V[k]) for k in range(model.d_head)],
                               "response": by_run[0], "control": by_run[1]})
    for name in args.mlps:
        layer, _ = place(name)
        b = model.layers[layer]
        by_run = []
        for r, other in zip(removals, others):
            onto = r.delta @ b["W_out"].T  # [batch, pos, neuron]
            by_run.append((((posts(model, clean.run, layer) - posts(model, other, layer)) * onto).sum((0, 1)) / total(r.delta, r.delta)).tolist())
        found["mlps"].append({"node": name, "cosine": torch.cosine_similarity(b["W_in"].T, b["W_out"], dim=-1).tolist(),
                              "response": by_run[0], "control": by_run[1]})
    for name in args.heads + args.mlps:
        layer, head = place(name)
        x = entering(clean.run, layer) if head is not None else clean.run.stream[f"resid_mid{layer}"]
        P = logits(apart(x - clean.node(args.writer)))
        opposed, control = (-total(logits(run.node(name)), P) / total(P, P) for run in (clean, turned))
        found["suppression"].append({"node": name, "opposed": opposed, "control": control})
    for r, other, run in zip(removals, others, ("writer", "control")):
        said = logits(r.delta)
        for at, x in other.stream.items():
            if not written(r, at):
                continue
            left = apart(clean.run.stream[at] - x)
            L = logits(left)
            found["lens"].append({"location": at, "run": run, "stream": total(left, r.delta) / total(r.delta, r.delta),
                                  "logits": total(L, said) / total(said, said), "size": (total(L, L) / total(said, said)) ** 0.5})
    short = lambda value: [short(x) for x in value] if isinstance(value, list) else {k: short(x) for k, x in value.items()} if isinstance(value, dict) else float(f"{value:.6g}") if isinstance(value, float) else value
    rows = lambda value: "[\n" + ",\n".join("  " + json.dumps(short(row)) for row in value) + "\n ]" if isinstance(value, list) else json.dumps(value)
    args.out.write_text("{\n" + ",\n".join(f" {json.dumps(key)}: {rows(value)}" for key, value in found.items()) + "\n}\n")


main()
