"""Why is a writer's band wide? What lies along the writer's direction just after it writes, component by component.

    python data/training/explain.py out/training/mine L1H7 L1H0

For the unit vector of the writer's output at each position: median and interquartile range of every component's part along it (the parts add
up to the residual stream's), and how constant the writer is: the length of its mean over its mean length, and the share of its variance that the
position alone explains. A part that is a constant (iqr 0, as biases are) makes the band wide as well: PR divides it by the writer's own, varying, length.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from run import Processed


def explain(model: Processed, tokens: torch.Tensor, writer: str) -> None:
    layer = int(writer[1])
    run = model(tokens)
    w = run.nodes[writer][:, 1:]
    length = w.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    by_position = w.mean(0, keepdim=True)
    unexplained = (w - by_position).pow(2).sum() / (w - w.mean((0, 1))).pow(2).sum()
    print(f"{writer}: norm {length.median():.2f}, length of the mean / mean length {w.mean((0, 1)).norm() / length.mean():.2f}, "
          f"variance explained by position {1 - unexplained:.2f}")
    before = lambda n: n.endswith("embed") or (n[0] == "L" and int(n[1]) <= layer) or (n[0] == "M" and int(n[3]) < layer)
    parts = {n: x[:, 1:] for n, x in run.nodes.items() if before(n)}
    total = run.residual[f"mid{layer}"][:, 1:]
    parts = {"residual": total, "biases": total - sum(parts.values()), **parts}
    for name, x in parts.items():
        q = torch.quantile((x * w / length).sum(-1), torch.tensor([0.25, 0.5, 0.75], device=x.device)).tolist()
        if abs(q[1]) >= 0.02 or q[2] - q[0] >= 0.02:
            print(f"  {name:9} median {q[1]:6.2f}  iqr {q[2] - q[0]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("writers", nargs="+", metavar="writer", help="a head, for example L1H7")
    parser.add_argument("--prompts", type=Path, help="default: held-out.safetensors in the folder")
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    tokens = load_file(args.prompts or args.folder / "held-out.safetensors")["tokens"][: args.rows].long()
    model = Processed(args.folder)
    for writer in args.writers:
        explain(model, tokens, writer)


if __name__ == "__main__":
    main()
