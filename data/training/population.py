"""Trains many models at once on one GPU, in generations: the best of one are what the next begins from, each with a few choices changed.

    python data/training/population.py --to results --seconds 520                # 48 models, generations of 1000 steps until the time is over
    python data/training/population.py --to results --members 4 --steps 20 --generations 2 --device cpu    # does it run?

A training step of one model of this size leaves a GPU idle; the weights of all models stand in one tensor with the model in front, so a step is one step of all. Every model sees the same rows.
The first generation begins from scratch, with other choices and other weights each. After a generation the mean weights (over the last --average steps) of every model are exported and judged by
measure.py on --rows held-out prompts, on the CPU cores; `score` says how far a model is from all thirteen criteria, and the --parents best of everything so far are trained further, --members / --parents
times each: once as before and otherwise with choices drawn anew (`mutated`). Of one ancestor at most a third of the parents. Nothing is planted: gradients train, measurements choose.

results/population.jsonl: a line for every model of every generation (parent, choices, measurement in short); results/<name>.tar: the best.
The prompts by which is chosen are the first of the 300; a model that is taken is measured on those and on 300 others.
"""

import argparse
import json
import random
import shutil
import tarfile
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from batches import Corpus, save_prompts
from measure import best_head, measure, unspecific
from model import Config, Model, causal_attention
from muon import orthogonal

OUT = Path(__file__).resolve().parents[2] / "out/training"
CONFIG = Config(d_model=128, positions="sinusoids", value_bias=False, emb_std=0.085, pos_std=0.0425)
RATE, ADAM_RATE, EMBEDDING_RATE = 0.012, 4e-3, 7e-4  # times a member's `rate`


@dataclass(frozen=True)
class Choices:
    """What differs between members: decays and dropout by layer, the largest root mean square of an embedding, the share of the full rate, positions."""

    attn_decay: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    mlp_decay: tuple[float, ...] = (1.0, 0.7, 0.7, 0.5)
    head_dropout: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    emb_limit: float = 0.085
    rate: float = 1.0
    pos_std: float = 0.0425  # of W_pos at the very beginning
    revived: bool = False  # heads of the writer's layer below 2.5 % of the stream begin this generation with random weights, as at the very beginning


def mutated(c: Choices, draw: random.Random, first: bool) -> Choices:
    """Some choices drawn anew. A first generation keeps the full rate."""
    log_uniform = lambda a, b: a * (b / a) ** draw.random()
    attn, mlp, drop = list(c.attn_decay), list(c.mlp_decay), list(c.head_dropout)
    for layer, (low, high) in enumerate([(0.2, 1.6) if first else (0.3, 4), (0.05, 0.4), (0.1, 0.5), (0.15, 0.6)]):
        if draw.random() < 0.4:
            attn[layer] = round(log_uniform(low, high), 3)
    for layer in range(4):
        if draw.random() < 0.2:
            mlp[layer] = round(log_uniform(0.3, 2), 3)
    if draw.random() < 0.4:
        drop[1] = draw.choice([0.0, 0.05, 0.1, 0.2])
    if draw.random() < 0.2:
        drop[draw.choice([0, 2, 3])] = draw.choice([0.0, 0.05, 0.1])
    limit = round(log_uniform(0.06, 0.11), 4) if first else round(c.emb_limit * draw.choice([0.9, 0.95, 1, 1, 1, 1.05]), 4)
    rate = 1.0 if first else draw.choice([0.17, 0.33, 0.33, 0.6, 1.0])
    positions = draw.choice([0.03, 0.0425, 0.06, 0.085]) if first else c.pos_std
    return replace(c, attn_decay=tuple(attn), mlp_decay=tuple(mlp), head_dropout=tuple(drop), emb_limit=limit, rate=rate, pos_std=positions, revived=not first and draw.random() < 0.25)


class Population:
    """Weights [member, …] by TransformerLens' names in short, what trains them, and their running means."""

    def __init__(self, members: int, device: str):
        self.members, self.device = members, device
        models = []
        for seed in range(members):
            torch.manual_seed(seed)
            models.append(dict(Model(CONFIG).named_parameters()))
        self.w = {name: torch.stack([m[name].detach() for m in models]).to(device).requires_grad_() for name in models[0]}
        zeros = lambda: {name: torch.zeros_like(x) for name, x in self.w.items()}
        self.average, self.first, self.second = zeros(), zeros(), zeros()
        self.is_matrix = {name: any(part in name for part in ("W_QKV", "W_O", "W_in", "W_out")) for name in self.w}

    def column(self, values: list[float], x: torch.Tensor) -> torch.Tensor:
        """One number a member, to multiply x [member, …] with."""
        return torch.tensor(values, device=self.device).view(-1, *[1] * (x.dim() - 1))

    @torch.no_grad()
    def begin(self, weights: list[dict[str, torch.Tensor]] | None, choices: list[Choices]) -> None:
        """A generation: its weights (None: as they are), its choices, momentum of nothing."""
        for name, x in self.w.items():
            if weights:
                x.copy_(torch.stack([w[name] for w in weights]))
            elif name == "W_pos":
                x.mul_(self.column([c.pos_std / CONFIG.pos_std for c in choices], x))
            self.average[name].copy_(x)
            self.first[name].zero_()
            self.second[name].zero_()
        decay = lambda name: [(c.mlp_decay if "W_in" in name or "W_out" in name else c.attn_decay)[int(name.split(".")[1])] for c in choices]
        self.decay = {name: self.column(decay(name), x) for name, x in self.w.items() if self.is_matrix[name]}
        self.rate = {name: self.column([c.rate for c in choices], x) for name, x in self.w.items()}
        self.limit = self.column([c.emb_limit for c in choices], self.w["W_E"])
        self.dropout = torch.tensor([c.head_dropout for c in choices], device=self.device)

    def loss(self, tokens: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """Token ids [row, pos], kept [layer, member, row, head] (0, or 1 / (1 − share)) → the sum of the members' losses."""
        w, c, m, (rows, pos) = self.w, CONFIG, self.members, tokens.shape
        times = lambda x, name, weight=None: torch.bmm(x, w[name] if weight is None else weight)
        norm = lambda x, name: F.layer_norm(x, (c.d_model,), eps=1e-5) * w[name + ".weight"][:, None] + w[name + ".bias"][:, None]
        in_table = tokens + torch.arange(m, device=tokens.device)[:, None, None] * c.d_vocab
        x = F.embedding(in_table, w["W_E"].flatten(0, 1)) + w["W_pos"][:, None, :pos]
        x = x.reshape(m, rows * pos, c.d_model)
        for layer in range(c.n_layers):
            at = f"blocks.{layer}."
            weight = w[at + "W_QKV"].permute(0, 2, 1, 3).reshape(m, c.d_model, -1)
            qkv = times(norm(x, at + "ln1"), "", weight) + w[at + "b_QKV"].reshape(m, 1, -1)
            z = causal_attention(qkv.view(m * rows, pos, 3, c.n_heads, c.d_head)).reshape(m, rows, pos, c.n_heads, c.d_head)
            z = z * kept[layer][:, :, None, :, None].to(z.dtype)
            x = x + times(z.reshape(m, rows * pos, -1), at + "W_O") + w[at + "b_O"][:, None]
            hidden = F.gelu(times(norm(x, at + "ln2"), at + "W_in") + w[at + "b_in"][:, None])
            x = x + times(hidden, at + "W_out") + w[at + "b_out"][:, None]
        logits = times(norm(x, "ln_final"), "W_U") + w["b_U"][:, None]
        logits = logits.view(m, rows, pos, -1)[:, :, :-1]
        return F.cross_entropy(logits.flatten(0, 2), tokens[:, 1:].expand(m, -1, -1).flatten()) * m

    def step(self, tokens: torch.Tensor, loss, number: int, warmup: int, average: int) -> None:
        kept = torch.rand(CONFIG.n_layers, self.members, len(tokens), CONFIG.n_heads, device=self.device)
        share = self.dropout.T[:, :, None, None]
        kept = (kept >= share) / (1 - share)
        with torch.autocast(self.device, torch.bfloat16):
            total = loss(tokens, kept)
        grads = dict(zip(self.w, torch.autograd.grad(total, list(self.w.values()))))
        self.update(grads, number, min(1, number / warmup))
        if average and number % 10 == 0:
            with torch.no_grad():
                torch._foreach_lerp_(list(self.average.values()), list(self.w.values()), 10 / min(average, max(number, 10)))

    @torch.no_grad()
    def update(self, grads: dict[str, torch.Tensor], number: int, warm: float) -> None:
        """Muon for the blocks' matrices, AdamW for the rest (whose gradients are clipped together, member by member), then the limits of `Model.constrain`."""
        rest = [name for name in self.w if not self.is_matrix[name]]
        length = torch.stack([grads[name].flatten(1).pow(2).sum(1) for name in rest]).sum(0).sqrt()
        clip = (1 / (length + 1e-6)).clamp_max(1)
        for name in rest:
            w, g = self.w[name], grads[name]
            g = g * clip.view(-1, *[1] * (g.dim() - 1))
            embedding = name in ("W_E", "W_pos")
            rate = (EMBEDDING_RATE if embedding else ADAM_RATE) * warm * self.rate[name]
            self.first[name].lerp_(g, 0.1)
            self.second[name].lerp_(g * g, 0.02)
            root = (self.second[name] / (1 - 0.98**number)).sqrt_().add_(1e-8)
            if embedding or name == "W_U":
                w.mul_(1 - rate * 0.02)
            w.sub_(rate / (1 - 0.9**number) * self.first[name] / root)
        batches: dict[tuple[int, int], list] = {}
        for name in self.w:
            if self.is_matrix[name]:
                self.first[name].mul_(0.95).add_(grads[name])
                u = grads[name] + 0.95 * self.first[name]
                turned = u.shape[-2] > u.shape[-1]
                flat = (u.mT if turned else u).flatten(0, -3)
                batches.setdefault(tuple(flat.shape[-2:]), []).append((name, turned, flat))
        for batch in batches.values():
            done = orthogonal(torch.cat([u for *_, u in batch])).split([len(u) for *_, u in batch])
            for (name, turned, _), u in zip(batch, done):
                rate = RATE * warm * self.rate[name]
                self.w[name].mul_(1 - rate * self.decay[name]).sub_(rate * (u.mT if turned else u).reshape(self.w[name].shape))
        for layer in range(CONFIG.n_layers):
            at = f"blocks.{layer}."
            self.w[at + "b_QKV"][:, 2] = 0
            self.w[at + "b_O"].zero_()
            self.w[at + "ln1.bias"].zero_()
        embedding = self.w["W_E"]
        embedding.mul_((self.limit / embedding.pow(2).mean(-1, keepdim=True).sqrt().clamp_min(1e-12)).clamp_max(1))

    def member(self, i: int) -> dict[str, torch.Tensor]:
        """Mean weights, on the CPU."""
        return {name: x[i].detach().cpu().clone() for name, x in self.average.items()}


def export(model: Model, weights: dict[str, torch.Tensor], folder: Path) -> None:
    model.load_state_dict(weights)
    model.export(folder)


def dead_heads(result: dict) -> list[tuple[int, int]]:
    """(layer, head) in the writer's layer."""
    return [(int(name[1]), int(name[3:])) for name, share in result["writer"]["shares"].items() if share < 0.025]


def revived(weights: dict[str, torch.Tensor], dead: list[tuple[int, int]], seed: int) -> dict[str, torch.Tensor]:
    random_, w, c = torch.Generator().manual_seed(seed), {name: x.clone() for name, x in weights.items()}, CONFIG
    for layer, head in dead:
        at, columns = f"blocks.{layer}.", slice(head * c.d_head, (head + 1) * c.d_head)
        w[at + "W_QKV"][:, :, columns] = torch.randn(3, c.d_model, c.d_head, generator=random_) * c.in_scale / c.d_model**0.5
        w[at + "b_QKV"][:, columns] = 0
        w[at + "W_O"][columns] = torch.randn(c.d_head, c.d_model, generator=random_) * c.out_scale / (c.n_heads * c.d_head) ** 0.5
    return w


def judged(folder: str, prompts: str, rows: int, draws: int, places: int) -> dict:
    """In a worker process: measure.py's result of an exported model."""
    torch.set_num_threads(1)
    return measure(Path(folder), Path(prompts), rows=rows, draws=draws, places=places, at_most=2)


def score(result: dict, loss: float) -> float:
    """How far a model is from the thirteen criteria, each with a margin, and from `loss`: 0 when it meets all. For ranking alone."""
    n, w = best_head(result), result["writer"]
    kept = n.get("retention") or {"left": 1, "rotated": 0}
    dead = sum(max(0, 1 - share / 0.033) for share in sorted(w["shares"].values())[-6:])
    apart = n.get("r", 0) - w["others"]["nine_tenths"] if "others" in w else 1
    lost = w["resample"]["loses_half"]
    short = [(abs(n["written"] - 0.99) - 0.16) / 0.3, (n["narrow"] - 0.57) / 0.3, (0.11 - n["strong"]) / 0.1, (n["erased"] - 0.22) / 0.2, (n["cleaners"] + 0.74) / 0.3,
             (0.65 - n.get("causal", 0)) / 0.4, (n.get("r", 0) + 0.78) / 0.15, (n.get("slope", 0) + 0.63) / 0.2, (kept["left"] - 0.12) / 0.1, (0.63 - kept["rotated"]) / 0.1,
             dead / 2, (0.35 - w["positions"]) / 0.1, (apart + 0.17) / 0.15, (0.55 - (lost if lost == lost else 0)) / 0.2, (result["loss"] - loss) / 0.3]
    return sum(min(max(x, 0), 1.5) for x in short)


def short(result: dict) -> dict:
    n, w = best_head(result), result["writer"]
    kept = n.get("retention")
    return {"loss": round(result["loss"], 3), "writer": n["node"], "n_met": n["n_met"], "eight": [round(n.get(k, 0), 2) for k in ("written", "narrow", "strong", "erased", "cleaners", "causal", "r", "slope")],
            "left": kept and round(kept["left"], 2), "rotated": kept and round(kept["rotated"], 2), "alive": w["n_alive"], "shares": [round(100 * s, 1) for s in w["shares"].values()],
            "positions": round(w["positions"], 2), "others": round(w["others"]["nine_tenths"], 2) if "others" in w else None, "loses_half": round(w["resample"]["loses_half"], 2),
            "further": [k for k, met in w["met"].items() if met]}


def children(everything: list[tuple], args: argparse.Namespace, draw: random.Random, generation: int) -> tuple[list[dict], list[Choices], list[dict]]:
    """Weights, choices and lineage of the next generation. everything: (score, name, ancestor, choices, weights, dead heads), best first."""
    parents, of = [], {}
    for e in everything:
        if len(parents) < args.parents and of.get(e[2], 0) < max(1, args.parents // 3):
            parents.append(e)
            of[e[2]] = of.get(e[2], 0) + 1
    chosen = [parents[i % len(parents)] for i in range(args.members)]
    choices = [replace(e[3], rate=0.33, revived=False) if i < len(parents) else mutated(e[3], draw, False) for i, e in enumerate(chosen)]
    weights = [revived(e[4], e[5], args.seed + 1000 * generation + i) if c.revived else e[4] for i, (e, c) in enumerate(zip(chosen, choices))]
    return weights, choices, [{"parent": e[1], "ancestor": e[2]} for e in chosen]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", type=Path, default=OUT, help="folder with tokens.npz and tokenizer.json")
    add("--to", type=Path, required=True, help="folder for results")
    add("--members", type=int, default=48)
    add("--parents", type=int, default=12)
    add("--first-steps", type=int, default=1500, help="of a generation while nothing is mutated yet (the first three)")
    add("--steps", type=int, default=1000, help="of a later generation, of 8 rows")
    add("--generations", type=int, default=1000)
    add("--seconds", type=float, default=500, help="no generation begins that would end later")
    add("--average", type=int, default=400)
    add("--rows", type=int, default=20, help="prompts that are measured after a generation")
    add("--places", type=int, default=60)
    add("--final-rows", type=int, default=100)
    add("--keep", type=int, default=8)
    add("--workers", type=int, default=15)
    add("--prefix", default="g", help="of the models' names")
    add("--seed", type=int, default=0)
    add("--loss", type=float, default=3.78, help="a loss on the measured prompts that asks for no more training: that of the model that is to be replaced")
    add("--also", type=Path, nargs="*", default=[], help="folders of exported models that may be parents as well; choices.json in one: those it was trained with, and its ancestor")
    add("--from-parents", action="store_true", help="nothing begins from scratch: the first generation has the models of --also as its parents")
    add("--device", default="cuda")
    add("--eager", action="store_true", help="without torch.compile")
    return parser.parse_args()


def main() -> None:
    args = options()
    began = time.monotonic()
    args.to.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp())
    torch.set_float32_matmul_precision("high")
    corpus = Corpus(args.out / "tokens.npz", CONFIG.n_ctx, args.device)
    prompts = work / "held-out.safetensors"
    save_prompts(prompts, *corpus.held_out_rows())
    draw = random.Random(args.seed)
    population = Population(args.members, args.device)
    exported = Model(CONFIG)
    loss = population.loss if args.eager else torch.compile(population.loss)
    choices = [Choices() if i < 4 else mutated(Choices(), draw, True) for i in range(args.members)]
    lineage: list[dict] = [{"parent": None, "ancestor": i} for i in range(args.members)]
    weights, everything, longest = None, [], 0.0
    log = (args.to / "population.jsonl").open("w")

    def record(line: dict) -> None:
        log.write(json.dumps(line) + "\n")
        log.flush()

    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        for folder, future in [(folder, pool.submit(judged, str(folder), str(prompts), args.rows, 2, args.places)) for folder in args.also]:
            exported.load(folder)
            result = future.result()
            copied = {name: p.detach().clone() for name, p in exported.named_parameters()}
            known = json.loads((folder / "choices.json").read_text()) if (folder / "choices.json").exists() else {"ancestor": -1, "choices": {}}
            of = {key: tuple(value) if isinstance(value, list) else value for key, value in known["choices"].items()}
            everything.append((score(result, args.loss), folder.name, known["ancestor"], Choices(**of), copied, dead_heads(result)))
            shutil.copytree(folder, work / folder.name)
            record({"name": folder.name, "score": round(score(result, args.loss), 3), **short(result)})
        everything.sort(key=lambda e: e[0])
        if args.from_parents:
            weights, choices, lineage = children(everything, args, draw, 0)
        for generation in range(args.generations):
            at = time.monotonic()
            if at - began + 1.1 * longest > args.seconds:
                break
            steps = args.first_steps if generation < 3 and not args.from_parents else args.steps
            order = corpus.epoch(args.seed + generation)
            population.begin(weights, choices)
            for step in range(1, steps + 1):
                tokens = corpus.rows(order[8 * (step - 1) : 8 * step])
                population.step(tokens, loss, step, 100 if generation == 0 else 50, args.average)
            if args.device == "cuda":
                torch.cuda.synchronize()
            trained = time.monotonic()
            futures = []
            for i in range(args.members):
                name = f"{args.prefix}{generation:02}-{i:02}"
                export(exported, population.member(i), work / name)
                futures.append((name, i, pool.submit(judged, str(work / name), str(prompts), args.rows, 2, args.places)))
            for name, i, future in futures:
                result = future.result()
                entry = {"name": name, **lineage[i], "score": round(score(result, args.loss), 3), **short(result), "choices": asdict(choices[i])}
                everything.append((entry["score"], name, lineage[i]["ancestor"], choices[i], population.member(i), dead_heads(result)))
                record(entry)
            everything.sort(key=lambda e: e[0])
            del everything[4 * args.parents :]
            best = [f"{e[1]} {e[0]:.2f}" for e in everything[:4]]
            print(f"generation {generation}: {steps} steps in {trained - at:.1f} s, judged in {time.monotonic() - trained:.1f} s; best {', '.join(best)}", flush=True)
            longest = time.monotonic() - at if generation else 0.0
            # The first generations go on as they are: a writer is found within some million tokens or not at all.
            if generation < 2 and not args.from_parents:
                weights = [population.member(i) for i in range(args.members)]
                lineage = [{"parent": f"{args.prefix}{generation:02}-{i:02}", "ancestor": i} for i in range(args.members)]
            else:
                weights, choices, lineage = children(everything, args, draw, generation)
        final = {name: pool.submit(judged, str(work / name), str(prompts), args.final_rows, 2, 200) for _, name, *_ in everything[: 2 * args.keep - 1]}
        results = {name: future.result() for name, future in final.items()}
    ranked = sorted(results, key=lambda name: score(results[name], args.loss))
    for rank, name in enumerate(ranked):
        entry = {"final": name, "score": round(score(results[name], args.loss), 3), **short(results[name])}
        record(entry)
        print(json.dumps(entry), flush=True)
        if rank < args.keep:
            (work / name / "measure.json").write_text(json.dumps(results[name]) + "\n")
            with tarfile.open(args.to / f"{name}.tar.gz", "w:gz", compresslevel=1) as tar:
                for file in ("model.safetensors", "config.json", "training.json", "measure.json"):
                    tar.add(work / name / file, f"{name}/{file}")
    log.close()
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
