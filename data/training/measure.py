"""Does a model clean up after itself, and of what? Every node of layers 0 and 1, judged by fixed criteria on held-out prompts.

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

Eight criteria of a resemblance; five more of the writer, the head that comes nearest to them all (or --node):

    specific  of its output at most 0.15 is left at the end, of its output rotated at least 0.6, and the difference is at least 0.45 (retention.py)
    alive     at least six heads of its layer are above 3 % of the residual stream's norm there
    positions the root mean square of W_pos is at least a third of W_E's
    apart     r is at least 0.15 beyond that of nine tenths of the other heads of layers 0 and 1, with the same cleaners
    prompts   at random places where the writer's DLA matters the other head with the highest DLA loses half, at half of them (resample.py)

The patched sum is the clean one minus the V-composition's (an identity with processed weights), so no second run is needed.
`*` marks what meets its criterion; `met` counts the eight. Of heads that are strong enough retention is measured as well. A head counts as a writer; embed, pos_embed and MLPs are shown for comparison.
This is a plain second implementation for choosing models. What the project reports is measured by the project itself.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from resample import resample
from retention import retention
from run import Processed, Run

CRITERIA = ("written", "narrow", "strong", "erased", "cleaners", "causal", "r", "slope")
FURTHER = ("specific", "alive", "positions", "apart", "prompts")


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


def unspecific(n: dict) -> float:
    """How far a head is from `specific`: 0 to 3. For ranking alone."""
    kept = n.get("retention")
    return sum(min(max(x, 0), 1) for x in (kept["left"] - 0.15, 0.6 - kept["rotated"], 0.45 - kept["specific"])) if kept else 3


def best_head(result: dict) -> dict:
    return min((n for n in result["nodes"] if n["node"][0] == "L"), key=lambda n: n["shortfall"] + unspecific(n))


def correlation(x: torch.Tensor, y: torch.Tensor) -> float:
    return (((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std())).item()


def others(writer: dict, gathered: dict[str, dict], heads: list[str]) -> dict:
    """Figure 5's r of the other heads of layers 0 and 1, with the writer's cleaners."""
    r = {}
    for name in heads:
        rows, keys = gathered[name], [f"v DLA L{writer['layer']}H{h}" for h in writer["heads"]]
        if name != writer["node"] and keys[0] in rows:
            r[name] = correlation(rows["dla"], sum(rows[key] for key in keys))
    return {"r": r, "nine_tenths": torch.quantile(torch.tensor(list(r.values())), 0.1).item()}


def judge_writer(model: Processed, tokens: torch.Tensor, n: dict, gathered: dict[str, dict], shares: dict[str, float], positions: float, places: int) -> dict:
    """The criteria that are of one writer."""
    layer = [share for name, share in shares.items() if name[1] == n["node"][1]]
    result = {"node": n["node"], "retention": n.get("retention"), "shares": {k: v for k, v in shares.items() if k[1] == n["node"][1]},
              "n_alive": sum(share >= 0.03 for share in layer), "positions": positions}
    if "layer" in n:
        result["others"] = others(n, gathered, list(shares))
    result["resample"] = resample(model, tokens, n["node"], places)
    kept, apart = n.get("retention"), result.get("others")
    result["met"] = {"specific": bool(kept) and unspecific(n) == 0, "alive": result["n_alive"] >= 6, "positions": positions >= 1 / 3,
                     "apart": bool(apart) and n["r"] <= apart["nine_tenths"] - 0.15, "prompts": result["resample"]["loses_half"] >= 0.5}
    return result


def measure(folder: Path, prompts: Path, device: str = "cpu", rows: int = 300, batch: int = 20, draws: int = 4, node: str | None = None, places: int = 200, at_most: int | None = None) -> dict:
    """at_most: so many heads have their retention measured, those that come nearest to the eight criteria (default: all that are strong enough)."""
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
    gathered = {w: {name: torch.cat(x) for name, x in gathered[w].items()} for w in writers}
    judged = [judge(w, gathered[w], n_layers, n_heads) for w in writers]
    heads = {n["node"]: n for n in judged if n["node"][0] == "L"}
    with torch.no_grad():
        strong = sorted((name for name, n in heads.items() if n["strong"] >= 0.1), key=lambda name: heads[name]["shortfall"])[:at_most]
        for kept in retention(model, tokens, strong, draws, batch):
            heads[kept.node]["retention"] = kept.summary()
    result = {"model": folder.name, "prompts": len(tokens), "loss": loss, "nodes": judged}
    writer = heads[node] if node else best_head(result)
    positions = model.position_share
    with torch.no_grad():
        shares = {name: n["strong"] for name, n in heads.items()}
        return result | {"writer": judge_writer(model, tokens.to(device), writer, gathered, shares, positions, places)}


def show(result: dict) -> None:
    print(f"{result['model']}: {result['prompts']} prompts, loss {result['loss']:.3f}")
    columns = CRITERIA
    print("| node | norm | " + " | ".join(columns) + " | layer, heads | met | median PR of the residual stream |\n" + "|---" * 13 + "|")
    for n in result["nodes"]:
        cells = [f"{n.get(c, 0):.2f}{'*' if n['met'][c] else ''}" for c in columns]
        where = f"{n['layer']}: {','.join(map(str, n['heads']))}" if "layer" in n else ""
        print(f"| {n['node']} | {n['norm']:.2f} | " + " | ".join(cells) + f" | {where} | {n['n_met']} | {' '.join(f'{m:.2f}' for m in n['PR'].values())} |")
    print("\n| node | left | rotated | draws | specific | interval | median R, from the write to the end | rotated |\n" + "|---" * 8 + "|")
    for n in result["nodes"]:
        if kept := n.get("retention"):
            places = [" ".join(f"{x:.2f}" for x in kept[key].values()) for key in ("by_location", "rotated_by_location")]
            print(f"| {n['node']} | {kept['left']:.2f} | {kept['rotated']:.2f} | {' '.join(f'{x:.2f}' for x in kept['draws'])} | {kept['specific']:.2f} "
                  f"| {kept['interval'][0]:.2f} to {kept['interval'][1]:.2f} | {' | '.join(places)} |")
    w = result["writer"]
    n = next(n for n in result["nodes"] if n["node"] == w["node"])
    star = lambda name: "*" if w["met"][name] else ""
    print(f"\nalive{star('alive')}: {w['n_alive']} ({' '.join(f'{name} {share:.3f}' for name, share in w['shares'].items())})")
    print(f"positions{star('positions')}: W_pos rms / W_E rms {w['positions']:.2f}")
    if "others" in w:
        print(f"apart{star('apart')}: r {n['r']:.2f}, nine tenths of the others above {w['others']['nine_tenths']:.2f} ({' '.join(f'{name} {r:.2f}' for name, r in w['others']['r'].items())})")
    places = w["resample"]
    print(f"prompts{star('prompts')}: of {places['places']} random places ({places['fitting']:.1%} fit) the writer is unmoved at {places['unmoved']:.0%}, the other head loses half at {places['loses_half']:.0%}")
    met = n["met"] | w["met"]
    print(f"writer {n['node']}: {n['n_met']} of 8, {sum(w['met'].values())} of 5 further; fails {', '.join(c for c in met if not met[c]) or 'none'}; shortfall {n['shortfall']:.2f} + {unspecific(n):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=Path, help="default: held-out.safetensors in the folder")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--draws", type=int, default=4, help="rotations (default 4)")
    parser.add_argument("--at-most", type=int, help="heads whose retention is measured, those that come nearest to the eight (default: all that are strong enough)")
    parser.add_argument("--node", help="the writer (default: the head that comes nearest)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the result there as well")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    result = measure(args.folder, args.prompts or args.folder / "held-out.safetensors", args.device, args.rows, draws=args.draws, node=args.node, at_most=args.at_most)
    show(result)
    if args.json:
        args.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
