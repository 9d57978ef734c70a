"""Trains many models at once on one GPU (population.py), in generations: the best of one are what the next begins from, each with a few choices changed.

    python data/training/breed.py --to results --seconds 520                # 48 models, generations of 1000 steps until the time is over
    python data/training/breed.py --to results --members 4 --steps 20 --generations 2 --device cpu    # does it run?

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
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import torch

from batches import Corpus, save_prompts
from measure import best_head, measure, unspecific
from model import Model
from population import CONFIG, Choices, Population, revived

OUT = Path(__file__).resolve().parents[2] / "out/training"


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


def export(model: Model, weights: dict[str, torch.Tensor], folder: Path) -> None:
    model.load_state_dict(weights)
    model.export(folder)


def dead_heads(result: dict) -> list[tuple[int, int]]:
    """(layer, head) in the writer's layer."""
    return [(int(name[1]), int(name[3:])) for name, share in result["writer"]["shares"].items() if share < 0.025]


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
