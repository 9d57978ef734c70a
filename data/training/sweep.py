"""Trains and judges a list of models, several at a time, and keeps the best.

    python data/training/sweep.py data/training/sweeps/seeds.txt --parallel 6 --keep 6 --to results
    python data/training/sweep.py data/training/sweeps/seeds.txt --dry-run          # only print the commands

The list: one model a line, "name: options of train.py"; a line "all: options" holds for every model below it; # begins a comment.
Each model is trained by train.py, then measured by measure.py on its 300 held-out prompts. results.md and results.jsonl are
written again after each model, and the models with the smallest shortfall so far are packed as <name>.tar (model.safetensors,
config.json, training.json, log.jsonl, measure.json), so an interrupted sweep loses nothing that is done.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from measure import CRITERIA, best_head

HERE = Path(__file__).resolve().parent
OUT = HERE.parents[1] / "out/training"


def read_list(file: Path) -> list[tuple[str, list[str]]]:
    """(name, options) of each model."""
    common: list[str] = []
    models = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, colon, options = line.partition(":")
        if not colon:
            raise SystemExit(f"{file}:{number}: expected 'name: options', got {line!r}")
        if name == "all":
            common = shlex.split(options)
        else:
            models.append((name.strip(), common + shlex.split(options)))
    return models


def row(name: str, options: list[str], result: dict, finished: dict) -> str:
    n = best_head(result)
    cells = [f"{n.get(c, 0):.2f}{'*' if n['met'][c] else ''}" for c in CRITERIA]
    where = f"{n['layer']}: {','.join(map(str, n['heads']))}" if "layer" in n else ""
    kept = f"{n['retention']['left']:.2f} of {n['retention']['rotated']:.2f}" if "retention" in n else ""
    return (f"| {name} | {finished['tokens'] / 1e6:.0f} M | {result['loss']:.3f} | {n['node']} | {n['norm']:.2f} | " + " | ".join(cells)
            + f" | {where} | {kept} | {n['n_met']} | {n['shortfall']:.2f} | {' '.join(f'{m:.2f}' for m in n['PR'].values())} | `{' '.join(options)}` |")


def pack(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        for file in ("model.safetensors", "config.json", "training.json", "log.jsonl", "measure.json"):
            tar.add(folder / file, f"{folder.name}/{file}")


HEADER = ("| model | tokens | loss | best head | norm | " + " | ".join(CRITERIA)
          + " | layer, heads | left, of rotated | met | shortfall | median PR, pre0 to the end | options |\n" + "|---" * 19 + "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path)
    parser.add_argument("--out", type=Path, default=OUT, help="folder with tokens.npz and tokenizer.json; models go below it")
    parser.add_argument("--to", type=Path, help="folder for results and packed models (default --out)")
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--keep", type=int, default=6, help="models packed (default 6)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    to = args.to or args.out
    to.mkdir(parents=True, exist_ok=True)
    done: list[tuple[float, str, str]] = []
    lock = Lock()

    def one(model: tuple[str, list[str]]) -> None:
        name, options = model
        folder = args.out / name
        base = ["--out", str(args.out), "--name", name, "--device", args.device]
        commands = [[sys.executable, str(HERE / "train.py"), *base, *options],
                    [sys.executable, str(HERE / "measure.py"), str(folder), "--device", args.device, "--json", str(folder / "measure.json")]]
        began = time.monotonic()
        for command in commands:
            if args.dry_run:
                print(shlex.join(command))
                continue
            got = subprocess.run(command, capture_output=True, text=True)
            if got.returncode != 0:
                print(f"{name} failed: {shlex.join(command)}\n{got.stderr[-1500:]}", flush=True)
                return
        if args.dry_run:
            return
        result = json.loads((folder / "measure.json").read_text())
        finished = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
        with lock:
            best = best_head(result)
            done.append((best["shortfall"], name, row(name, options, result, finished)))
            done.sort()
            (to / "results.md").write_text("\n".join([HEADER, *(line for _, _, line in done)]) + "\n")
            with (to / "results.jsonl").open("a") as file:
                file.write(json.dumps({"name": name, "options": options, "loss": result["loss"], "tokens": finished["tokens"], **best}) + "\n")
            for position, (_, other, _) in enumerate(done):
                if position >= args.keep:
                    (to / f"{other}.tar").unlink(missing_ok=True)
                elif other == name:
                    pack(args.out / name, to / f"{name}.tar")
            print(f"{name}: {best['node']} meets {best['n_met']} of 8, shortfall {best['shortfall']:.2f}, loss {result['loss']:.3f}, "
                  f"{finished['tokens'] / 1e6:.0f} M tokens, {time.monotonic() - began:.0f} s", flush=True)

    with ThreadPoolExecutor(args.parallel) as pool:
        list(pool.map(one, read_list(args.list)))
    if done:
        print((to / "results.md").read_text())


if __name__ == "__main__":
    main()
