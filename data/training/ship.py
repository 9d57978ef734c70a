"""Puts a trained and measured model in the place of the embedded one.

    python data/training/measure.py out/training/mine --json out/training/mine/measure.json
    python data/training/ship.py out/training/mine [--node L1H6]

data/models/tiny-gelu-4l: model.safetensors, config.json, tokenizer.json, and cleanup.json from what was measured (the best head, or --node);
data/prompts/held-out.safetensors; data/training/logs/<name>.jsonl. Then, in this order: `deno run -A data/training/cleanup.ts` (who cleans up, by the
rule of the library), `deno run -A data/training/adversarial.ts`, the references
(tests/reference/record.py), `deno task figures --in-place`, and the README files beside model and prompts.
"""

import argparse
import json
import shutil
from pathlib import Path

from measure import best_head

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--node", help="the writer (default: the head with the smallest shortfall)")
    args = parser.parse_args()
    measured = json.loads((args.folder / "measure.json").read_text())
    if measured["prompts"] != 300:
        parser.error(f"{args.folder}/measure.json is about {measured['prompts']} prompts; expected 300")
    by_name = {n["node"]: n for n in measured["nodes"]}
    if args.node and args.node not in by_name:
        parser.error(f"{args.node} was not measured; expected one of {', '.join(by_name)}")
    n = by_name[args.node] if args.node else best_head(measured)
    model = ROOT / "data/models/tiny-gelu-4l"
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        shutil.copy(args.folder / name, model / name)
    shutil.copy(args.folder / "held-out.safetensors", ROOT / "data/prompts/held-out.safetensors")
    shutil.copy(args.folder / "log.jsonl", ROOT / f"data/training/logs/{args.folder.name}.jsonl")
    cleanup = {
        "writer": n["node"],
        "cleaners": [f"L{n['layer']}H{h}" for h in n["heads"]],
        "patchedLayers": [n["layer"]],
        "source": f"Measured after training, on 300 held-out prompts (data/training/measure.py): {n['node']} is the head that comes nearest to the "
                  f"criteria; the cleaners are the heads of layer {n['layer']} whose median projection ratio onto it is below -0.02 (median of their sum "
                  f"{n['cleaners']:.2f}).",
    }
    (model / "cleanup.json").write_text(json.dumps(cleanup, indent=2) + "\n")
    print(f"{n['node']}: {n['n_met']} of 8; cleaners {', '.join(cleanup['cleaners'])}")


if __name__ == "__main__":
    main()
