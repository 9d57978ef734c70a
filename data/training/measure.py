"""Does a model clean up after itself? Every node of layers 0 and 1, judged by fixed criteria on held-out prompts.

    python data/training/measure.py out/training/first              # model.safetensors, config.json, held-out.safetensors in one folder
    python data/training/measure.py data/models/tiny-gelu-4l --prompts data/prompts/held-out.safetensors

PR(a, b) = a·b / ‖b‖² for every prompt and position from 1 on; processed weights. For a writer that writes in layer l:

    written   its median PR right after the write (mid_l, or post_l for an MLP) is 0.8 to 1.2
    narrow    the interquartile range there is at most 0.6
    strong    its median norm is at least a tenth of the residual stream's there
    erased    the median PR stays within ±0.25 from the attention of some later layer to the end
    cleaners  the median of the sum of one later layer's cleaners (heads whose median PR is below -0.02) is at most -0.7
    causal    of that, the V-input patch (in this layer, LayerNorm scale frozen) undoes at least 60 %
    r, slope  the writer's DLA against the V-composition's (top-2 logit difference): r at most -0.75, slope at most -0.6

The patched sum is the clean one minus the V-composition's (an identity with processed weights), so no second run is needed.
`*` marks what meets its criterion; `met` counts the eight. A head counts as a writer; embed, pos_embed and MLPs are shown for comparison.
This is a plain second implementation for choosing models. What the project reports is measured by the project itself.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from run import Processed, Run

CRITERIA = ("written", "narrow", "strong", "erased", "cleaners", "causal", "r", "slope")


def projection_ratio(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(-1) / (b * b).sum(-1).clamp_min(1e-12)


def median(x: torch.Tensor) -> float:
    return x.median().item()


def batch_rows(model: Processed, run: Run, writers: list[str], out: dict) -> None:
    """Appends, for one batch, the values [position] that the medians are taken of."""
    keep = lambda x: x[:, 1:].flatten().cpu()
    top = run.logits.topk(2, -1).indices
    direction = model.W_U.T[top[..., 0]] - model.W_U.T[top[..., 1]]
    dla = lambda c: keep((c / run.scales["final"] * direction).sum(-1))
    n_heads = run.patterns[0].shape[1]
    for w in writers:
        b = run.nodes[w]
        rows = out.setdefault(w, {})
        put = lambda name, x: rows.setdefault(name, []).append(x)
        put("norm", keep(b.norm(dim=-1)))
        put("dla", dla(b))
        for location, r in run.residual.items():
            put("PR " + location, keep(projection_ratio(r, b)))
            put("norm " + location, keep(r.norm(dim=-1)))
        first = -1 if w.endswith("embed") else int(w[1] if w[0] == "L" else w[3])
        for layer in range(max(first + 1, 1), len(model.layers)):
            W_O = model.layers[layer]["W_O"]
            v = model.v_composition(run, b, layer)
            for head in range(n_heads):
                v_out = v[:, head] @ W_O[head]
                put(f"PR L{layer}H{head}", keep(projection_ratio(run.nodes[f"L{layer}H{head}"], b)))
                put(f"v PR L{layer}H{head}", keep(projection_ratio(v_out, b)))
                put(f"v DLA L{layer}H{head}", dla(v_out))


def judge(w: str, rows: dict[str, torch.Tensor], n_layers: int, n_heads: int) -> dict:
    written_at = "pre0" if w.endswith("embed") else f"mid{w[1]}" if w[0] == "L" else f"post{w[3]}"
    first = -1 if w.endswith("embed") else int(w[1] if w[0] == "L" else w[3])
    locations = [name[3:] for name in rows if name.startswith("PR pre") or name.startswith("PR mid") or name.startswith("PR post")]
    medians = {at: median(rows["PR " + at]) for at in locations}
    q = torch.quantile(rows["PR " + written_at], torch.tensor([0.25, 0.75]))
    result = {"node": w, "PR": {at: round(m, 2) for at, m in medians.items()}, "written": medians[written_at], "narrow": (q[1] - q[0]).item(),
              "norm": median(rows["norm"]), "strong": median(rows["norm"]) / median(rows["norm " + written_at])}
    later = [f"mid{layer}" for layer in range(max(first + 1, 1), n_layers)]
    # The smallest bound that holds from the attention of some later layer on.
    result["erased"] = min(max(abs(medians[at]) for at in locations[locations.index(start):]) for start in later)
    result["cleaners"] = 0.0
    for layer in range(max(first + 1, 1), n_layers):
        heads = [h for h in range(n_heads) if median(rows[f"PR L{layer}H{h}"]) < -0.02]
        if not heads:
            continue
        clean, v, v_dla = (sum(rows[f"{kind} L{layer}H{h}"] for h in heads) for kind in ("PR", "v PR", "v DLA"))
        if median(clean) < result["cleaners"]:
            x = rows["dla"]
            covariance = ((x - x.mean()) * (v_dla - v_dla.mean())).mean()
            result |= {"layer": layer, "heads": heads, "cleaners": median(clean), "causal": 1 - median(clean - v) / median(clean),
                       "r": (covariance / (x.std() * v_dla.std())).item(), "slope": (covariance / x.var()).item()}
    met = {"written": 0.8 <= result["written"] <= 1.2, "narrow": result["narrow"] <= 0.6, "strong": result["strong"] >= 0.1,
           "erased": result["erased"] <= 0.25, "cleaners": result["cleaners"] <= -0.7, "causal": result.get("causal", 0) >= 0.6,
           "r": result.get("r", 0) <= -0.75, "slope": result.get("slope", 0) <= -0.6}
    return result | {"met": met, "n_met": sum(met.values()), "shortfall": shortfall(result)}


def shortfall(n: dict) -> float:
    """How far a node is from meeting all eight: 0 to 8, at most 1 for each. For ranking alone."""
    by = [abs(n["written"] - 1) - 0.2, n["narrow"] - 0.6, 1 - n["strong"] / 0.1, n["erased"] - 0.25, 1 + n["cleaners"] / 0.7,
          1 - n.get("causal", 0) / 0.6, 1 + n.get("r", 0) / 0.75, 1 + n.get("slope", 0) / 0.6]
    return sum(min(max(x, 0), 1) for x in by)


def best_head(result: dict) -> dict:
    return min((n for n in result["nodes"] if n["node"][0] == "L"), key=lambda n: n["shortfall"])


def measure(folder: Path, prompts: Path, device: str = "cpu", rows: int = 300, batch: int = 20) -> dict:
    model = Processed(folder, device)
    tokens = load_file(prompts)["tokens"][:rows].long()
    n_layers, n_heads = len(model.layers), model.layers[0]["W_O"].shape[0]
    writers = ["embed", "pos_embed", *(name for layer in (0, 1) for name in [*(f"L{layer}H{h}" for h in range(n_heads)), f"MLP{layer}"])]
    gathered: dict[str, dict] = {}
    loss = 0.0
    with torch.no_grad():
        for part in tokens.split(batch):
            part = part.to(device)
            run = model(part)
            loss += F.cross_entropy(run.logits[:, :-1].flatten(0, 1), part[:, 1:].flatten()).item() * len(part) / len(tokens)
            batch_rows(model, run, writers, gathered)
    judged = [judge(w, {name: torch.cat(x) for name, x in gathered[w].items()}, n_layers, n_heads) for w in writers]
    return {"model": folder.name, "prompts": len(tokens), "loss": loss, "nodes": judged}


def show(result: dict) -> None:
    print(f"{result['model']}: {result['prompts']} prompts, loss {result['loss']:.3f}")
    columns = CRITERIA
    print("| node | norm | " + " | ".join(columns) + " | layer, heads | met | median PR of the residual stream |\n" + "|---" * 13 + "|")
    for n in result["nodes"]:
        cells = [f"{n.get(c, 0):.2f}{'*' if n['met'][c] else ''}" for c in columns]
        where = f"{n['layer']}: {','.join(map(str, n['heads']))}" if "layer" in n else ""
        print(f"| {n['node']} | {n['norm']:.2f} | " + " | ".join(cells) + f" | {where} | {n['n_met']} | {' '.join(f'{m:.2f}' for m in n['PR'].values())} |")
    best = best_head(result)
    print(f"best head: {best['node']}, {best['n_met']} of 8, shortfall {best['shortfall']:.2f}" + (": passes" if best["n_met"] == 8 else ": fails " + ", ".join(c for c in columns if not best["met"][c])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=Path, help="default: held-out.safetensors in the folder")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the result there as well")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    result = measure(args.folder, args.prompts or args.folder / "held-out.safetensors", args.device, args.rows)
    show(result)
    if args.json:
        args.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
