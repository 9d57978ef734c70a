"""Retention, its responses, its rotated control and what it means for direct logit attribution, in PyTorch and from the definition alone.

    python tests/reference/retention.py MODEL PROMPTS.safetensors --writers L1H5,MLP0 --out retention.json --values values.safetensors
    python tests/reference/retention.py MODEL PROMPTS.safetensors --screen --count 2 --length 128 --out screen.json

MODEL: a Hugging Face folder of the Llama family, or a TransformerLens-layout folder. PROMPTS: `tokens` [count, length], token ids.

w(t): what the writer adds at position t; delta = strength · w at positions ≥ 1, 0 at position 0. Another run misses delta. With x the clean stream,
x' the other run's, c and c' what a later node c writes in them (heads without biases):

    Delta_L = x_L − x'_L,  R_L(t) = Delta_L(t)·delta(t) / ‖delta(t)‖²,  rho_c(t) = (c(t) − c'(t))·delta(t) / ‖delta(t)‖²,  R_end = 1 + Σ rho_c

Control: delta(t) = Q^T w(t), Q [d_model, to] random orthogonal (`w @ Q` of a row vector), where the model centres its stream of the
subspace orthogonal to (1, …, 1); `rotations` [draw, d_model, to] in a file gives the same ones to two implementations.
Route "values": every norm's scale and every attention pattern are the clean run's. DLA: u(t) is the difference of the unembeddings of the clean
run's two largest logits at t, over the clean final scale; `said` = delta·u, `taken` = −Σ_c (c − c')·u, `left` = Delta_end·u = said − taken,
`true` = the clean logit difference minus the other run's, with that run's own final scale.

Medians and quartiles pool positions ≥ 1 of all prompts; `interval`: 95 % by bootstrap over prompts (of `specific`: over draws as well).
`specific` = mean over draws of the control's median, minus the writer's. `weighted` = Σ Delta·delta / Σ ‖delta‖², which adds up exactly.
With scales frozen nothing bounds the stream: a long vector taken out may make gated MLPs overflow (`not_finite` counts such positions).
`first`: position 0 as a class of its own, delta = w there alone.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from retention_models import Embedded, Llama, Removal, Trace, load, several


class Clean:
    """The clean run of some prompts, what each node adds in it, and the logit direction of each position."""

    def __init__(self, model: Llama | Embedded, tokens: torch.Tensor):
        self.model = model
        embeddings = model.embed(tokens)
        self.run: Trace = model.trace(sum(embeddings.values()))
        self.run.embeddings = embeddings
        self.end = self.run.stream[f"resid_post{model.n_layers - 1}"]
        self.top2 = model.logits(self.run).topk(2).indices  # [batch, pos, 2]
        first, second = self.top2.unbind(-1)
        self.direction = model.W_U(first) - model.W_U(second)  # [batch, pos, d_model]
        self.bias = model.b_U(first) - model.b_U(second)

    def node(self, name: str) -> torch.Tensor:
        """[batch, pos, d_model]"""
        if name in self.run.embeddings:
            return self.run.embeddings[name]
        layer, head = place(name)
        return self.run.mlp[layer] if head is None else self.run.z[layer][:, :, head] @ self.model.W_O(layer)[head]

    def logit_difference(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """[batch, pos], of a stream x at the end, by the clean run's direction."""
        x = x - x.mean(-1, keepdim=True) if self.model.centred else x
        return (x / scale * several(self.direction, len(x))).sum(-1) + several(self.bias, len(x))


def place(name: str) -> tuple[int, int | None]:
    """Layer and head; an MLP has no head, an embedding no layer either (0)."""
    if found := re.fullmatch(r"L(\d+)H(\d+)", name):
        return int(found[1]), int(found[2])
    if found := re.fullmatch(r"MLP(\d+)", name):
        return int(found[1]), None
    if name in ("embed", "pos_embed"):
        return 0, None
    raise SystemExit(f"{name!r} is no node; expected L1H5, MLP0, embed or pos_embed")


def removal_of(name: str, delta: torch.Tensor) -> Removal:
    layer, head = place(name)
    return Removal("embed" if "embed" in name else "mlp" if head is None else "attn", layer, delta)


def other_run(clean: Clean, removal: Removal, frozen: bool) -> Trace:
    """Only the layers from the writer's on are run again."""
    layer = removal.layer
    enters = clean.run.stream["resid_pre0" if layer == 0 else f"resid_post{layer - 1}"]
    return clean.model.trace(several(enters, len(removal.delta)), layer, removal, clean.run if frozen else None)


def responses(clean: Clean, other: Trace, removal: Removal, onto: torch.Tensor) -> dict[str, torch.Tensor]:
    """(c − c')·onto of every node after the writer, [batch, pos] each, without a head's output ever being made."""
    found = {}
    for layer in other.z:
        if layer > removal.layer or removal.at == "embed":
            difference = several(clean.run.z[layer], len(onto)) - other.z[layer]
            dots = (difference * torch.einsum("bpm,hdm->bphd", onto, clean.model.W_O(layer))).sum(-1)
            found |= {f"L{layer}H{head}": dots[:, :, head] for head in range(clean.model.n_heads)}
        if layer > removal.layer or removal.at != "mlp":
            found[f"MLP{layer}"] = ((several(clean.run.mlp[layer], len(onto)) - other.mlp[layer]) * onto).sum(-1)
    return found


def written(removal: Removal, location: str) -> bool:
    part, layer = re.fullmatch(r"resid_(pre|mid|post)(\d+)", location).groups()
    order = {"embed": ("pre", "mid", "post"), "attn": ("mid", "post"), "mlp": ("post",)}[removal.at]
    return int(layer) > removal.layer or (int(layer) == removal.layer and part in order)


def measure(clean: Clean, removal: Removal, frozen: bool) -> dict[str, dict[str, torch.Tensor]]:
    """Per-position values [batch, pos] for the rows of the removal: norm2, retention by location, responses by node, dla."""
    delta, other = removal.delta, other_run(clean, removal, frozen)
    norm2 = delta.pow(2).sum(-1)
    difference = {at: several(clean.run.stream[at], len(delta)) - x for at, x in other.stream.items() if written(removal, at)}
    u = several(clean.direction / clean.run.scale["final"], len(delta))
    *_, end = difference.values()
    before = several(clean.logit_difference(clean.end, clean.run.scale["final"]), len(delta))
    after = clean.logit_difference(several(clean.end, len(delta)) - end, other.scale["final"])
    return {
        "norm2": {"": norm2},
        "retention": {at: (x * delta).sum(-1) / norm2 for at, x in difference.items()},
        "responses": {node: x / norm2 for node, x in responses(clean, other, removal, delta).items()},
        "dla": {"said": (delta * u).sum(-1), "taken": -sum(responses(clean, other, removal, u).values(), torch.zeros_like(norm2)), "left": (end * u).sum(-1),
                "true": before - after},
    }


def rotations(args, model: Llama | Embedded) -> torch.Tensor:
    """[draw, d_model, to]; of the subspace that a centred stream stays in, the rest left alone."""
    if args.rotations:
        found = load_file(args.rotations)["rotations"].double()
        if found.dim() != 3 or found.shape[1:] != (model.d_model, model.d_model):
            raise SystemExit(f"{args.rotations}: expected rotations [draw, {model.d_model}, {model.d_model}], got {list(found.shape)}")
        return found
    generator = torch.Generator().manual_seed(args.seed)
    basis = torch.eye(model.d_model, dtype=torch.float64)
    if model.centred:
        ones = torch.ones(model.d_model, 1, dtype=torch.float64)
        basis = torch.linalg.qr(torch.cat([ones, basis[:, 1:]], 1)).Q[:, 1:]
    size = basis.shape[1]
    found = []
    for _ in range(args.draws):
        q, r = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
        found.append(basis @ (q * r.diagonal().sign()) @ basis.T)
    return torch.stack(found).float().double()  # as a file would hold them


def apart(w: torch.Tensor) -> torch.Tensor:
    """Nothing at position 0."""
    w = w.clone()
    w[:, 0] = 0
    return w


def resamples(count: int, seed: int, times: int = 1000) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, count, (times, count))


def interval(values: np.ndarray) -> list[float]:
    return [round(float(x), 5) for x in np.quantile(values, [0.025, 0.975])]


def medians(x: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """The pooled median of every resample of prompts; x [prompt, pos]."""
    return np.median(np.where(np.isfinite(x), x, np.finfo(x.dtype).max)[samples].reshape(len(samples), -1), 1)


def band(x: np.ndarray, norm2: np.ndarray, samples: np.ndarray) -> dict:
    """x and norm2 [prompt, pos]. Values that are not finite lie above all others, are counted, and are left out of `weighted`."""
    finite = np.isfinite(x)
    low, median, high = np.quantile(np.where(finite, x, np.finfo(x.dtype).max), [0.25, 0.5, 0.75])
    row = {"median": median, "low": low, "high": high, "weighted": (x[finite] * norm2[finite]).sum() / max(norm2[finite].sum(), 1e-300)}
    row = {key: round(float(value), 5) for key, value in row.items()} | {"interval": interval(medians(x, samples)), "n": x.size}
    return row if finite.all() else row | {"not_finite": int((~finite).sum())}


def finite_mean(x: np.ndarray) -> float | None:
    finite = x[np.isfinite(x)]
    return round(float(finite.mean()), 5) if finite.size else None


def first_position(model: Llama | Embedded, token: torch.Tensor, writer: str) -> dict:
    """Position 0, which sees itself alone, so one token is enough."""
    clean = Clean(model, token)
    got = measure(clean, removal_of(writer, clean.node(writer)), False)
    one = lambda x: round(float(x[0, 0]), 5)
    largest = sorted(got["responses"].items(), key=lambda item: -abs(one(item[1])))[:5]
    return {"norm": round(float(got["norm2"][""].sqrt()), 4), "stream": round(float(clean.end.norm()), 2),
            "retention": {at: one(x) for at, x in got["retention"].items()}, "responses": {node: one(x) for node, x in largest}}


Values = dict[tuple[str, str, str], np.ndarray]


def of_writer(args, cleans: list[Clean], writer: str, Q: torch.Tensor) -> Values:
    """(route / run, kind, name) → [prompt, pos − 1], position 0 left out."""
    parts: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for clean in cleans:
        w = apart(clean.node(writer)) * args.strength
        batch = torch.cat([w, *(w @ q.to(w.dtype) for q in Q)])
        for route in args.routes:
            got = measure(clean, removal_of(writer, batch), route == "values")
            for kind, named in got.items():
                for name, x in named.items():
                    for i, rows in enumerate(x[:, 1:].double().numpy().reshape(1 + len(Q), len(w), -1)):
                        run = "writer" if i == 0 else f"control {i - 1}"
                        parts.setdefault((f"{route}/{run}", kind, name), []).append(rows)
        share = (clean.node(writer).norm(dim=-1) / clean.end.norm(dim=-1))[:, 1:]
        parts.setdefault(("", "share", ""), []).append(share.double().numpy())
    return {key: np.concatenate(rows) for key, rows in parts.items()}


def summary(args, model: Llama | Embedded, values: Values, writer: str, token: torch.Tensor) -> dict:
    norm2 = values[(f"{args.routes[0]}/writer", "norm2", "")]
    samples = resamples(len(norm2), args.seed)
    names = sorted({key[0] for key in values if key[0]})
    pick = lambda run, kind: {name: x for (r, k, name), x in values.items() if (r, k) == (run, kind)}
    found = {"writer": writer, "norm": round(float(np.median(np.sqrt(norm2))), 4), "share": round(float(np.median(values["", "share", ""])), 5),
             "first": first_position(model, token, writer), "retention": [], "responses": [], "specific": {}, "dla": [], "identity": {}}
    for run in names:
        retention, after = pick(run, "retention"), pick(run, "responses")
        found["retention"] += [{"run": run, "location": at, **band(x, norm2, samples)} for at, x in retention.items()]
        found["responses"] += [{"run": run, "node": node, **band(x, norm2, samples[:300])} for node, x in after.items()]
        *_, end = retention.values()
        gap = np.abs(end - 1 - sum(after.values()))
        found["identity"][run] = float(gap[np.isfinite(gap)].max(initial=0))
        found["dla"].append({"run": run, **{name: {"mean": finite_mean(x), "mean_abs": finite_mean(np.abs(x))}
                                            for name, x in pick(run, "dla").items()}})
    for route in args.routes:
        controls = sorted(run for run in names if run.startswith(f"{route}/control"))
        for at, x in pick(f"{route}/writer", "retention").items() if controls else ():
            of = [values[(run, "retention", at)] for run in controls]
            draws = np.stack([medians(c, samples) for c in of])  # [draw, resample]
            chosen = np.random.default_rng(args.seed + 1).integers(0, len(of), (len(samples), len(of)))
            mean = np.take_along_axis(draws.T, chosen, 1).mean(1)
            value = float(np.mean([np.median(c) for c in of]) - np.median(x))
            found["specific"][f"{route}/{at}"] = {"value": round(value, 5), "interval": interval(mean - medians(x, samples))}
    return found


def arrays(args, values: Values, writer: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """For the values file: per-position numbers, float32; the names of the leading dim stand in the metadata."""
    tensors, names = {}, {}
    keys = list(values)
    for run in sorted({key[0] for key in keys if key[0]}):
        for kind in ("retention", "responses", "dla"):
            named = {name: x for (r, k, name), x in values.items() if (r, k) == (run, kind)}
            if not named or (kind == "responses" and writer not in args.responses_of):
                continue
            tensors[f"{writer}/{run}/{kind}"] = torch.from_numpy(np.stack(list(named.values()))).float()
            names[f"{writer}/{kind}"] = json.dumps(list(named))
    tensors[f"{writer}/norm2"] = torch.from_numpy(values[(f"{args.routes[0]}/writer", "norm2", "")]).float()
    return tensors, names


def screen(args, model: Llama | Embedded, cleans: list[Clean], Q: torch.Tensor) -> list[dict]:
    """Every head and MLP with one control, all heads of a layer in one run; ranked by what is erased beyond the control."""
    rows = []
    for layer in range(model.n_layers):
        for group in ([f"L{layer}H{h}" for h in range(model.n_heads)], [f"MLP{layer}"]):
            group = [name for name in group if not args.only or name in args.only]
            if not group:
                continue
            parts = {name: {"writer": [], "control": [], "norm2": [], "share": []} for name in group}
            for clean in cleans:
                w = torch.stack([apart(clean.node(name)) for name in group])  # [node, prompt, pos, d_model]
                both = torch.stack([w, w @ Q[0].to(w.dtype)], 1)  # [node, run, prompt, pos, d_model]
                removal = removal_of(group[0], both.flatten(0, 2))
                *_, end = other_run(clean, removal, False).stream.values()
                end = several(clean.end, len(end)) - end
                norm2 = removal.delta.pow(2).sum(-1)
                R = ((end * removal.delta).sum(-1) / norm2)[:, 1:].unflatten(0, both.shape[:3])
                for i, name in enumerate(group):
                    for run, x in zip(("writer", "control"), R[i]):
                        parts[name][run].append(x.double().numpy())
                    length = w[i].norm(dim=-1)[:, 1:]
                    parts[name]["norm2"].append((length**2).double().numpy())
                    parts[name]["share"].append((length / clean.end.norm(dim=-1)[:, 1:]).double().numpy())
            for name in group:
                x, control, norm2, share = (np.concatenate(parts[name][k]) for k in ("writer", "control", "norm2", "share"))
                samples = resamples(len(x), args.seed)
                rows.append({"node": name, "norm": round(float(np.median(np.sqrt(norm2))), 4), "share": round(float(np.median(share)), 5),
                             "writer": band(x, norm2, samples), "control": band(control, norm2, samples),
                             "specific": round(float(np.median(control) - np.median(x)), 5),
                             "interval": interval(medians(control, samples) - medians(x, samples))})
        print(f"layer {layer}", flush=True)
    return sorted(rows, key=lambda row: -row["specific"])


def brief(result: dict) -> dict:
    """What a test needs beside the values file: of every writer its own rows and the first control's, without responses."""
    kept = [run for route in ("all", "values") for run in (f"{route}/writer", f"{route}/control 0")]
    of = lambda rows: [row for row in rows if row["run"] in kept]
    writers = [{**{key: w[key] for key in ("writer", "norm", "share", "first")}, "retention": of(w["retention"]), "dla": of(w["dla"])}
               for w in result["writers"]]
    return {**result, "writers": writers}


def plain(x):
    """null for what is not finite, which JSON cannot say."""
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, list):
        return [plain(value) for value in x]
    return None if isinstance(x, float) and not np.isfinite(x) else x


def one_row_a_line(result: dict) -> str:
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: re.sub(r"\s+", " ", m[0]), json.dumps(plain(result), indent=1))
    return re.sub(r"\{[^{}]*\}", lambda m: re.sub(r"\s+", " ", m[0]), text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--writers", default="", help="names, with commas between")
    parser.add_argument("--screen", action="store_true", help="every head and MLP, retention at the end, one control")
    parser.add_argument("--only", default=[], type=lambda text: text.split(","), help="nodes to screen, in place of all")
    parser.add_argument("--start", type=int, default=0, help="the first prompt taken (default 0)")
    parser.add_argument("--count", type=int, help="prompts (default all)")
    parser.add_argument("--length", type=int, help="tokens of each (default all)")
    parser.add_argument("--chunk", type=int, default=4, help="prompts run at once (default 4)")
    parser.add_argument("--routes", default="all,values", type=lambda text: text.split(","))
    parser.add_argument("--strength", type=float, default=1)
    parser.add_argument("--draws", type=int, default=2, help="rotations (default 2)")
    parser.add_argument("--rotations", type=Path, help=".safetensors with `rotations` [draw, d_model, to], in place of random ones")
    parser.add_argument("--save-rotations", type=Path)
    parser.add_argument("--responses-of", default="", type=lambda text: text.split(","), help="writers whose responses go into --values")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--brief", action="store_true", help="only the writers' own rows and the first control's, no responses")
    parser.add_argument("--values", type=Path, help="per-position values of all prompts that are run, .safetensors")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)

    model = load(args.model, getattr(torch, args.dtype))
    tokens = load_file(args.prompts)["tokens"].long()
    tokens = tokens[args.start :][: args.count, : args.length]
    Q = rotations(args, model)
    if args.save_rotations:
        save_file({"rotations": Q.float()}, args.save_rotations)
    cleans = [Clean(model, part) for part in tokens.split(args.chunk)]
    result = {"model": args.model.name, "prompts": args.prompts.name, "start": args.start, "count": len(tokens), "length": tokens.shape[1],
              "dtype": args.dtype, "seed": args.seed, "strength": args.strength,
              "rotations": args.rotations.name if args.rotations else f"{args.draws} draws"}
    if args.screen:
        result["ranking"] = screen(args, model, cleans, Q)
    tensors, metadata = {"tokens": tokens.to(torch.int32), "rotations": Q.float(), "top2": torch.cat([c.top2 for c in cleans]).to(torch.int32)}, {}
    result["writers"] = []
    for writer in filter(None, args.writers.split(",")):
        values = of_writer(args, cleans, writer, Q)
        result["writers"].append(summary(args, model, values, writer, tokens[:1, :1]))
        more, names = arrays(args, values, writer)
        tensors, metadata = tensors | more, metadata | names
        print(writer, flush=True)
    args.out.write_text(one_row_a_line(brief(result) if args.brief else result))
    if args.values:
        save_file({name: x.contiguous() for name, x in tensors.items()}, args.values, metadata)


if __name__ == "__main__":
    main()
