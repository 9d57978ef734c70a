"""What later layers take back of any vector, by how it varies over tokens, and where the heads look.

    python data/training/contraction.py out/training/mine --location mid1

Vectors a fifth as long as the residual stream are put in at one location, from position 1 on, and their retention is read at every later one (median; retention.py):
one direction at all tokens, one direction with a random sign at each token, another direction at each token. Attention averages over tokens: what is the same everywhere
adds up in it, what varies averages out. Then, for every head, the median over positions from 40 on of its attention to BOS, to its own token, to the one
before and to the last eight: a head that looks at all tokens alike has 1/n everywhere. Last, what a layer's heads write of a mean over tokens that they all look at
alike: uᵀ (Σ W_V W_O / mean scale) u for a unit vector u, averaged over all (the trace / d_model), and along the principal directions of the running mean of the stream.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from retention import retained_of
from run import Processed, Run, centred


def unit(x: torch.Tensor) -> torch.Tensor:
    return (y := centred(x)) / y.norm(dim=-1, keepdim=True)


def taken_back(model: Processed, run: Run, location: str, directions: int, seed: int = 0) -> dict[str, dict[str, list[float]]]:
    """Median retention of each kind of vector at every later location, for each of several draws."""
    stream, random = run.residual[location], torch.Generator().manual_seed(seed)
    length = 0.2 * stream.norm(dim=-1, keepdim=True)
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(directions):
        one = unit(torch.randn(stream.shape[-1], generator=random))
        sign = torch.randint(0, 2, (*stream.shape[:2], 1), generator=random) * 2 - 1
        by_token = unit(torch.randn(stream.shape, generator=random))
        for kind, delta in (("one direction", one * length), ("one direction, sign by token", one * sign * length), ("another direction at each token", by_token * length)):
            for place, r in retained_of(model, run, location, delta).items():
                found.setdefault(kind, {}).setdefault(place, []).append(r.median().item())
    return found


def where_heads_look(run: Run, first: int = 40) -> list[str]:
    lines = []
    for layer, pattern in run.patterns.items():
        back = lambda k: pattern.diagonal(offset=-k, dim1=-2, dim2=-1)[..., first - k :]
        kinds = {"BOS": pattern[:, :, first:, 0], "own": back(0), "before": back(1), "last eight": sum(back(k) for k in range(8))}
        median = lambda x: " ".join(f"{m:.2f}" for m in x.transpose(0, 1).flatten(1).median(-1).values.tolist())
        lines.append(f"layer {layer}: " + "; ".join(f"{kind} {median(x)}" for kind, x in kinds.items()))
    return lines


def of_the_mean(model: Processed, run: Run, layer: int, first: int = 40) -> str:
    b, before = model.layers[layer], run.residual["pre0" if layer == 0 else f"post{layer - 1}"]
    written = torch.einsum("hmd,hdn->mn", b["W_V"], b["W_O"]) / run.scales[layer][:, 1:].mean()
    count = torch.arange(1, before.shape[1] + 1, device=before.device)[:, None]
    means = (before.cumsum(1) / count)[:, first:].flatten(0, 1)
    directions = torch.linalg.eigh(means.T @ means)[1].flip(1)  # the largest first
    along = torch.einsum("mi,mn,ni->i", directions, written, directions)
    third = len(along) // 3
    return (f"layer {layer}: {written.trace() / len(written):.2f}; first three {' '.join(f'{x:.2f}' for x in along[:3].tolist())}; "
            f"thirds of the directions {' '.join(f'{part.mean():.2f}' for part in along.split(third + 1))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--location", default="mid1", help="pre0, mid0, post0, … (default mid1)")
    parser.add_argument("--prompts", type=Path, help="default: held-out.safetensors in the folder")
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--directions", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    tokens = load_file(args.prompts or args.folder / "held-out.safetensors")["tokens"][: args.rows].long()
    model = Processed(args.folder)
    run = model(tokens)
    for kind, places in taken_back(model, run, args.location, args.directions).items():
        print(kind)
        for place, draws in places.items():
            print(f"  {place:6} {sum(draws) / len(draws):.2f} ({' '.join(f'{x:.2f}' for x in sorted(draws))})")
    print("\n".join(where_heads_look(run)))
    print("written of the mean\n" + "\n".join(of_the_mean(model, run, layer) for layer in range(len(model.layers))))


if __name__ == "__main__":
    main()
