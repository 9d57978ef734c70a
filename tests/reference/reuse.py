"""What `reuse` says of the embedded model, in PyTorch (float64), from its definitions alone: no line follows the TypeScript.

    python tests/reference/reuse.py        # writes tests/reference/data/reuse.json, with the venv of requirements.txt
"""

import json
from pathlib import Path

import torch
from expected_format import write_json
from rotations import rotation
from retention_models import Removal, load
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "data/models/tiny-gelu-4l"
EXPECTED = ROOT / "data/expected/tiny-gelu-4l.json"
SHORT = {"count": 6, "length": 48, "draws": 2, "other": "L0H3"}  # for the tests, with controls
NOTEBOOK = {"count": 40, "length": 256, "draws": 0, "other": "L1H6"}  # what the notebook measures
LAMBDAS = (0.5, 1.0)


def centred(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    return x - x.mean(dim, keepdim=True)


def rest(x: torch.Tensor) -> torch.Tensor:
    """Position 0 apart. [batch, pos, …]"""
    x = x.clone()
    x[:, 0] = 0
    return x


class Reuse:
    def __init__(self, writer: str, cleaners: list[str], count: int, length: int):
        self.model = load(MODEL)
        self.tokens = load_file(ROOT / "data/prompts/held-out.safetensors")["tokens"][:count, :length].to(torch.int64)
        self.writer, self.cleaners = writer, cleaners
        self.clean = self.run()
        self.energy_of = lambda x: rest(x).pow(2).sum().item()

    def run(self, minus: str | None = None, tokens: torch.Tensor | None = None):
        parts = self.model.embed(self.tokens if tokens is None else tokens)
        x = sum(parts.values())
        removal = None
        if minus:
            layer, head = int(minus[1]), int(minus[3])
            removal = Removal("attn", layer, rest(self.head(self.clean, layer, head)))
        trace = self.model.trace(x, removal=removal)
        trace.embeddings = parts
        return trace

    def head(self, run, layer: int, head: int) -> torch.Tensor:
        return run.z[layer][:, :, head] @ self.model.W_O(layer)[head]

    def nodes(self, run) -> dict[str, torch.Tensor]:
        nodes = dict(run.embeddings)
        for layer in range(self.model.n_layers):
            for head in range(self.model.n_heads):
                nodes[f"L{layer}H{head}"] = self.head(run, layer, head)
            nodes[f"MLP{layer}"] = run.mlp[layer]
        return nodes

    def span(self, node: str, energy: float | None = None, k: int | None = None) -> tuple[torch.Tensor, float]:
        w = rest(centred(self.nodes(self.clean)[node])).flatten(0, 1)
        _, s, directions = torch.linalg.svd(w, full_matrices=False)
        share = s.pow(2).cumsum(0) / s.pow(2).sum()
        k = k or int((share < energy).sum()) + 1
        return directions[:k], share[k - 1].item()

    def read(self, streams: dict[str, torch.Tensor], B: torch.Tensor | None) -> dict[str, float]:
        """Σ ‖W x̂‖² by reader, of the streams or of their part in B, with the clean run's scales and without biases."""
        found = {}
        part = lambda x: x if B is None else x @ B.T @ B
        for layer in range(self.model.n_layers):
            b = self.model.layers[layer]
            place = "resid_pre0" if layer == 0 else f"resid_post{layer - 1}"
            seen = centred(part(streams[place])) / self.clean.scale[f"ln1.{layer}"]
            for x in "QKV":
                for head in range(self.model.n_heads):
                    found[f"L{layer}H{head} {x}"] = self.energy_of(seen @ b["W_" + x][head])
            seen = centred(part(streams[f"resid_mid{layer}"])) / self.clean.scale[f"ln2.{layer}"]
            found[f"MLP{layer} MLP"] = self.energy_of(seen @ b["W_in"])
        end = f"resid_post{self.model.n_layers - 1}"
        seen = centred(part(streams[end])) / self.clean.scale["final"]
        found["unembed unembed"] = self.energy_of(seen @ centred(self.model.p.W_U_, 1))
        return found

    def loss(self, x: torch.Tensor, first: str) -> torch.Tensor:
        """Mean loss at positions from 1 on with x at the location `first` ("resid_mid3" or the end): by prompt."""
        if first == "resid_mid3":
            b = self.model.layers[3]
            inner = torch.nn.functional.gelu(centred(x) / self.model.p.scale(x) @ b["W_in"] + b["b_in"])
            self.mlp = inner @ b["W_out"] + b["b_out"]
            x = x + self.mlp
        logits = centred(x) / self.model.p.scale(x) @ self.model.p.W_U_ + self.model.p.b_U_
        self.predicted = logits.log_softmax(-1)[:, 1:-1]
        return -self.predicted.gather(-1, self.tokens[:, 2:, None]).mean().item()


def measure(count: int, length: int, draws: int, other: str) -> dict:
    cleanup = json.loads((MODEL / "cleanup.json").read_text())
    r = Reuse(cleanup["writer"], cleanup["cleaners"], count, length)
    assert max(int(name[1]) for name in r.cleaners) == 3 and r.model.n_layers == 4, "erased at resid_mid3, which loss() is written for"
    B, energy = r.span(r.writer, energy=0.9)
    k = len(B)
    beside, other_energy = r.span(other, k=k)
    turns = [torch.tensor(rotation(r.model.d_model, seed)) for seed in range(1, draws + 1)]
    spans = [("writer", B, r.writer), *(("random", B @ Q.T, r.writer) for Q in turns), ("other", beside, other)]
    without = {name: r.run(minus=name) for name in (r.writer, other)}
    share = lambda part, whole: {name: value / whole[name] for name, value in part.items()}
    project = lambda x, P: x @ P.T
    shares = []
    for name, P, node in spans:
        gone = without[node]
        delta = {place: x - gone.stream[place] for place, x in r.clean.stream.items()}
        energies = lambda values: {key: r.energy_of(x) for key, x in values.items()}
        of = lambda values: energies({key: project(x, P) for key, x in values.items()})
        stream = energies({key: centred(x) for key, x in r.clean.stream.items()})
        wrote = energies({key: centred(x) for key, x in r.nodes(r.clean).items()})
        taken = r.read(r.clean.stream, None)
        shares.append({
            "span": name,
            "standing": {c: share(of(s), stream) for c, s in (("all", r.clean.stream), ("own", delta), ("rest", gone.stream))},
            "written": {c: share(of(r.nodes(run)), wrote) for c, run in (("all", r.clean), ("rest", gone))},
            "read": {c: share(r.read(s, P), taken) for c, s in (("all", r.clean.stream), ("own", delta), ("rest", gone.stream))},
        })
    # The erased part, put back after the last cleaner, and the same rotated.
    w = rest(r.nodes(r.clean)[r.writer])
    left = r.clean.stream["resid_mid3"] - without[r.writer].stream["resid_mid3"]
    along = (left * w).sum(-1, keepdim=True) / w.pow(2).sum(-1, keepdim=True).clamp_min(1e-30)
    missing = w - along * w
    x = r.clean.stream["resid_mid3"]
    base = r.loss(x, "resid_mid3")
    clean_predicted = r.predicted
    clean_mlp = rest(r.mlp)[:, :-1]  # the last position has no next token, so it is not run
    back = {}
    for run, vector in (("writer", missing), *((f"control {i}", missing @ Q.T) for i, Q in enumerate(turns))):
        for lam in LAMBDAS:
            loss = r.loss(x + lam * vector, "resid_mid3") - base
            change = ((rest(r.mlp)[:, :-1] - clean_mlp).pow(2).sum() / clean_mlp.pow(2).sum()).sqrt().item()
            back[f"{run} {lam:g}"] = {"loss": loss, "MLP3": change}
    end = r.clean.stream["resid_post3"]
    needed = []
    for name, P, _ in spans:
        mean = (end[:, 1:] @ P.T).flatten(0, 1).mean(0)
        loss = r.loss(end + rest((mean - end @ P.T) @ P), "end") - base
        kl = (clean_predicted.exp() * (clean_predicted - r.predicted)).sum(-1).mean().item()
        needed.append({"span": name, "loss": loss, "divergence": kl})
    return {
        "prompts": count, "length": length, "draws": draws, "other": other, "k": k, "energy": energy, "otherEnergy": other_energy,
        "shares": shares, "putBack": back, "needed": needed,
    }


def in_figures(m: dict) -> dict:
    """As lib/experiments/expected.ts reads them; controls left out, whose draws are no definition."""
    figures = {}

    def figure(name: str, keys: list[str], rows: list[dict], what: str) -> None:
        figures[f"reuse, {name}"] = {
            "source": f"PyTorch in float64, by tests/reference/reuse.py. {what}", "prompts": m["prompts"],
            "tolerance": {"absolute": 0.0001, "relative": 0.001,
                          "reason": "float32 here against float64 there, from weights processed in float32: shares of sums over all tokens differ by some 1e-6"},
            "keys": keys, "rows": rows,
        }

    def rows(what: str, key) -> list[dict]:
        found = []
        for one in m["shares"]:
            contents = one[what]
            for name in contents["all"]:
                found.append({"span": one["span"], **key(name), **{content: shares[name] for content, shares in contents.items()}})
        return found

    figure("standing", ["span", "location"], rows("standing", lambda name: {"location": name}), "Shares of the stream's energy in the spans")
    figure("written", ["span", "node"], rows("written", lambda name: {"node": name}), "Shares of what nodes write")
    figure("read", ["span", "reader", "input"], rows("read", lambda name: dict(zip(("reader", "input"), name.split()))),
           "Shares of what readers take in")
    back = [{"run": "writer", "lambda": float(name.split()[1]), "loss": value["loss"]} for name, value in m["putBack"].items()]
    figure("put back", ["run", "lambda"], back, "Increase of the loss, nats a token")
    figure("needed", ["span"], m["needed"], "The span at the end exchanged for its mean: increase of the loss, KL; nats a token")
    return figures


def record() -> None:
    short = measure(**SHORT)
    about = {"command": "python tests/reference/reuse.py", "versions": {"torch": torch.__version__}}
    rounded = json.loads(json.dumps({**about, **short}), parse_float=lambda x: float(f"{float(x):.8g}"))
    (ROOT / "tests/reference/data/reuse.json").write_text(json.dumps(rounded, indent=1) + "\n")
    content = json.loads(EXPECTED.read_text())
    six = lambda figures: json.loads(json.dumps(figures), parse_float=lambda x: float(f"{float(x):.6g}"))
    content["figures"].update(six(in_figures(measure(**NOTEBOOK))))
    write_json(EXPECTED, content)
    print(f"reuse: k {short['k']}, energy {short['energy']:.4f}; put back {short['putBack']}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    record()
