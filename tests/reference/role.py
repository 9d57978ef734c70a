"""What `role` says of the embedded model, in PyTorch and NumPy (float64), from its definitions alone.

    python tests/reference/role.py        # writes tests/reference/data/role.json and the role's figures of data/expected/tiny-gelu-4l.json
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import torch
from expected_format import write_json
from retention_models import load
from rotations import rotation
from safetensors.torch import load_file
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "data/models/tiny-gelu-4l"
EXPECTED = ROOT / "data/expected/tiny-gelu-4l.json"
SHORT = {"count": 6, "length": 48, "edge_prompts": 6, "draws": 3, "bins": 4, "most": 8}
NOTEBOOK = {"count": 40, "length": 256, "edge_prompts": 8, "draws": 0, "bins": 8, "most": 12}
CLASSES = [("white space", r"^\s+$"), ("digit", r"^\s*\d"), ("beginning of a word", r"^\s[^\W\d_]"), ("part of a word", r"^[^\W\d_]")]


def centred(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    return x - x.mean(dim, keepdim=True)


def rest(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[:, 0] = 0
    return x


class Role:
    def __init__(self, writer: str, tokens: torch.Tensor):
        self.m, self.tokens = load(MODEL), tokens
        self.layer, self.head = int(writer[1]), int(writer[3])
        self.clean = self.forward(tokens)
        self.w = self.clean["written"]

    def forward(self, tokens: torch.Tensor, minus: torch.Tensor | None = None, edge: tuple | None = None) -> dict:
        """minus: taken out of what the writer adds. edge: (layer, "Q" | "K" | "V" | "MLP", head, delta): out of one input, scale frozen."""
        m, found = self.m, {"pattern": {}, "scale": {}}
        parts = m.embed(tokens)
        x = parts["embed"] + parts["pos_embed"]
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        for layer in range(m.n_layers):
            b = m.layers[layer]
            found["scale"][f"ln1.{layer}"] = m.p.scale(x)
            n = centred(x) / m.p.scale(x)
            made = {s: torch.einsum("bpm,hmd->bhpd", n, b["W_" + s]) for s in "QKV"}
            made["Q"], made["K"] = made["Q"] + b["b_Q"][:, None], made["K"] + b["b_K"][:, None]
            if edge and edge[0] == layer and edge[1] != "MLP":
                _, s, head, delta = edge
                made[s][:, head] -= centred(delta) / self.clean["scale"][f"ln1.{layer}"] @ b["W_" + s][head]
            pattern = (made["Q"] @ made["K"].mT / math.sqrt(m.d_head)).masked_fill(future, -torch.inf).softmax(-1)
            found["pattern"][layer] = pattern
            z = pattern @ made["V"]
            x = x + torch.einsum("bhpd,hdm->bpm", z, b["W_O"]) + b["b_O"]
            if layer == self.layer:
                found["written"] = z[:, self.head] @ b["W_O"][self.head]
                if minus is not None:
                    x = x - minus
            found["scale"][f"ln2.{layer}"] = m.p.scale(x)
            read, scale = x, m.p.scale(x)
            if edge and edge[0] == layer and edge[1] == "MLP":
                read, scale = x - edge[3], self.clean["scale"][f"ln2.{layer}"]
            x = x + torch.nn.functional.gelu(centred(read) / scale @ b["W_in"] + b["b_in"]) @ b["W_out"] + b["b_out"]
        found["scale"]["final"] = m.p.scale(x)
        logits = centred(x) / m.p.scale(x) @ m.p.W_U_ + m.p.b_U_
        found["loss"] = -logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
        return found

    def more(self, **changes) -> torch.Tensor:
        """Increase of the loss at positions from 1 on, [prompt, pos - 1]."""
        return (self.forward(self.tokens, **changes)["loss"] - self.clean["loss"])[:, 1:]


def bins_of(last: int, count: int) -> list[tuple[int, int]]:
    edges = [1 + math.floor(i * last / count + 0.5) for i in range(count + 1)]
    return [(a, b - 1) for a, b in zip(edges, edges[1:]) if b > a]


def explained(y: np.ndarray, factors: list[np.ndarray]) -> float:
    """R² of the additive model of all labels, by its normal equations."""
    y = y - y.mean(0)
    starts = np.cumsum([0] + [f.max() + 1 for f in factors])
    columns = np.stack([f + s for f, s in zip(factors, starts)], 1)
    size = starts[-1]
    gram, right = np.zeros((size, size)), np.zeros((size, y.shape[1]))
    for i in range(columns.shape[1]):
        np.add.at(right, columns[:, i], y)
        for j in range(columns.shape[1]):
            np.add.at(gram, (columns[:, i], columns[:, j]), 1)
    effects = np.linalg.solve(gram + 1e-9 * np.eye(size), right)
    left = y - sum(effects[columns[:, i]] for i in range(columns.shape[1]))
    return 1 - (left**2).sum() / (y**2).sum()


def compact(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1]


def measure(count: int, length: int, edge_prompts: int, draws: int, bins: int, most: int) -> dict:
    writer = json.loads((MODEL / "cleanup.json").read_text())["writer"]
    tokens = load_file(ROOT / "data/prompts/held-out.safetensors")["tokens"][:count, :length].to(torch.int64)
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    r = Role(writer, tokens)
    w = rest(r.w)
    turns = [torch.tensor(rotation(r.m.d_model, seed)) for seed in range(1, draws + 1)]
    mean_logits = (centred(w) / r.clean["scale"]["final"])[:, 1:].flatten(0, 1).mean(0) @ centred(r.m.p.W_U_, 1)
    order = mean_logits.argsort(descending=True)
    shown = [*order[:most].tolist(), *order[-most:].tolist()]
    vocabulary = [{"id": i, "rank": order.tolist().index(i) + 1, "dla": mean_logits[i].item()} for i in shown]

    pattern = r.clean["pattern"][r.layer][:, r.head]  # [prompt, query, key]
    attention = []
    for a, b in bins_of(length - 1, bins):
        own = lambda t, s: pattern[:, t, s].mean().item()
        parts = {"first": [own(t, 0) for t in range(a, b + 1)], "own": [own(t, t) for t in range(a, b + 1)],
                 "previous": [own(t, t - 1) if t > 1 else 0 for t in range(a, b + 1)]}
        weights = {target: sum(x) / len(x) for target, x in parts.items()}
        weights["others"] = 1 - sum(weights.values())
        attention += [{"from": a, "to": b, "target": target, "weight": weight} for target, weight in weights.items()]

    # The directions with 99 % of the energy, as the experiment has them.
    flat = centred(r.w)[:, 1:].flatten(0, 1)
    _, s, V = torch.linalg.svd(flat, full_matrices=False)
    k = int((s.pow(2).cumsum(0) / s.pow(2).sum() < 0.99).sum()) + 1
    y = (flat @ V[:k].T).numpy()
    places = np.arange(1, length)
    labels = {
        "position": compact(np.tile(places, count)),
        "token": compact(tokens[:, 1:].flatten().numpy()),
        "previous": compact(tokens[:, :-1].flatten().numpy()),
        "prompt": np.repeat(np.arange(count), length - 1),
    }
    whole = explained(y, list(labels.values()))
    variance = [{"factor": name, "alone": explained(y, [own]),
                 "last": whole - explained(y, [other for key, other in labels.items() if key != name])} for name, own in labels.items()]
    variance.append({"factor": "all", "alone": whole, "last": whole})

    other = r.forward(torch.roll(tokens, -1, 0))["written"]
    runs = {"removed": r.more(minus=w), "resampled": r.more(minus=rest(r.w - other))}
    if turns:
        runs["rotated"] = torch.stack([r.more(minus=w @ Q.T) for Q in turns]).mean(0)
    texts = {i: tokenizer.decode([i], skip_special_tokens=False) for i in set(tokens.flatten().tolist())}
    class_of = lambda i: next((name for name, pattern in CLASSES if re.search(pattern, texts[i])), "symbols")
    next_class = [[class_of(i) for i in row[2:]] for row in tokens.tolist()]
    groups = [("all", "all", torch.ones(count, length - 2, dtype=torch.bool))]
    pos = torch.arange(1, length - 1).expand(count, -1)
    groups += [("position", f"{a}–{b}", (pos >= a) & (pos <= b)) for a, b in bins_of(length - 2, bins)]
    groups += [("class", name, torch.tensor([[c == name for c in row] for row in next_class])) for name in [*(n for n, _ in CLASSES), "symbols"]]
    without = [{"by": by, "group": group, "run": run, "loss": loss[mask].mean().item(), "n": int(mask.sum())}
               for by, group, mask in groups if mask.any() for run, loss in runs.items()]

    few = Role(writer, tokens[:edge_prompts])
    w = rest(few.w)
    edges = []
    for layer in range(few.layer, few.m.n_layers):
        inputs = [("MLP", None)] if layer == few.layer else [*((s, h) for s in "QKV" for h in range(few.m.n_heads)), ("MLP", None)]
        for s, head in inputs:
            row = {"reader": f"MLP{layer}" if s == "MLP" else f"L{layer}H{head}", "input": s}
            for name, deltas in (("", [w]), ("Control", [w @ Q.T for Q in turns])):
                changed = [few.forward(few.tokens, edge=(layer, s, head, delta)) for delta in deltas]
                if not changed:
                    continue
                mean = lambda values: sum(values) / len(values)
                row["control" if name else "loss"] = mean([(run["loss"] - few.clean["loss"])[:, 1:].mean().item() for run in changed])
                if s in "QK":
                    a = few.clean["pattern"][layer][:, head, 1:-1]
                    kl = lambda run: (a * (a.clamp_min(1e-30).log() - run["pattern"][layer][:, head, 1:-1].clamp_min(1e-30).log())).sum(-1).mean().item()
                    row[f"pattern{name}"] = mean([kl(run) for run in changed])
            edges.append(row)
    return {"count": count, "length": length, "edgePrompts": edge_prompts, "draws": draws, "bins": bins, "most": most, "directions": k,
            "vocabulary": vocabulary, "attention": attention, "variance": variance, "without": without, "edges": edges}


def in_figures(m: dict) -> dict:
    figures = {}

    def figure(name: str, keys: list[str], what: str, reason: str = "", **tolerance) -> None:
        figures[f"role, {name}"] = {
            "source": f"PyTorch and NumPy in float64, by tests/reference/role.py. {what}", "prompts": m["count"],
            "tolerance": {"absolute": 0.0001, "relative": 0.001, **tolerance,
                          "reason": reason or "float32 here against float64 there, from weights processed in float32"},
            "keys": keys, "rows": m[name],
        }

    figure("vocabulary", ["id"], "Mean DLA of tokens", absolute=0.0001)
    figure("attention", ["from", "to", "target"], "Attention by bins of positions")
    figure("variance", ["factor"], "By normal equations of all labels", absolute=0.0005,
           reason="the fit by turns ends when a round explains less than 1e-7 of the variance more; rounds were added up")
    figure("without", ["by", "group", "run"], "Increase of the loss, nats a token")
    figure("edges", ["reader", "input"], "Increase of the loss and KL of the pattern, nats")
    return figures


def record() -> None:
    six = lambda value, digits=6: json.loads(json.dumps(value), parse_float=lambda x: float(f"{float(x):.{digits}g}"))
    short = {"command": "python tests/reference/role.py", "versions": {"torch": torch.__version__, "numpy": np.__version__}, **measure(**SHORT)}
    (ROOT / "tests/reference/data/role.json").write_text(json.dumps(six(short, 8), indent=1) + "\n")
    content = json.loads(EXPECTED.read_text())
    content["figures"].update(six(in_figures(measure(**NOTEBOOK))))
    write_json(EXPECTED, content)
    print("role: variance", short["variance"])


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    record()
