"""What is left of a writer's output at the end of the residual stream, and what is left of any vector like it.

The model runs again with δ taken out of what the writer adds, from position 1 on (position 0 is a class of its own):

    R_L(t) = (x_L(t) − x̃_L(t))·δ(t) / ‖δ(t)‖²       retention at location L: 1 just after the write, 0 when it is erased

Twice: δ = w, what the writer adds, and δ = Q w with Q a random orthogonal matrix of the centred subspace: the same length at every token,
the same course over tokens, another direction. What is left of the second is what happens to any such vector; specific erasure is the
second less the first. Medians over prompts and positions; the interval (95 %) resamples prompts, and draws of Q with them.
"""

from dataclasses import dataclass

import numpy as np
import torch

from run import Processed, Run, centred


def rotation(d_model: int, seed: int) -> torch.Tensor:
    """A random orthogonal matrix [d_model, d_model] of the subspace orthogonal to (1, …, 1), uniform (Haar); what is constant it keeps."""
    random = torch.Generator().manual_seed(seed)
    gaussian = lambda n: torch.randn(n, n, generator=random, dtype=torch.float64)
    basis = torch.linalg.qr(torch.cat([torch.ones(d_model, 1, dtype=torch.float64), gaussian(d_model)[:, 1:]], 1))[0][:, 1:]
    q, r = torch.linalg.qr(gaussian(d_model - 1))
    turned = q * r.diagonal().sign()
    return (basis @ turned @ basis.T + 1 / d_model).float()


def written_at(node: str) -> str:
    """The location just after the write."""
    return "pre0" if node.endswith("embed") else f"mid{node[1]}" if node[0] == "L" else f"post{node[3]}"


def retained_of(model: Processed, run: Run, at: str, delta: torch.Tensor) -> dict[str, torch.Tensor]:
    """R of a vector [batch, pos, d_model] that is part of the stream at location `at`, there and at every later one: [batch, pos − 1] from position 1 on."""
    delta = centred(delta).clone()
    delta[:, 0] = 0
    patched = model.onward(run.residual[at] - delta, at)
    square = delta.pow(2).sum(-1)[:, 1:].clamp_min(1e-12)
    return {place: ((run.residual[place] - x) * delta).sum(-1)[:, 1:] / square for place, x in patched.items()}


@dataclass
class Retention:
    """by_location and rotated_by_location: medians. own [prompt, pos] and rotated [draw, prompt, pos]: at the end."""

    node: str
    by_location: dict[str, float]
    rotated_by_location: dict[str, float]
    own: np.ndarray
    rotated: np.ndarray

    def summary(self, samples: int = 300, seed: int = 0) -> dict:
        own, draws = float(np.median(self.own)), [float(np.median(r)) for r in self.rotated]
        return {"node": self.node, "left": own, "rotated": float(np.mean(draws)), "draws": draws, "specific": float(np.mean(draws)) - own,
                "interval": self.interval(samples, seed), "by_location": self.by_location, "rotated_by_location": self.rotated_by_location}

    def interval(self, samples: int, seed: int) -> list[float]:
        """Of the specific erasure."""
        random, found = np.random.default_rng(seed), []
        for _ in range(samples):
            prompts = random.integers(0, len(self.own), len(self.own))
            draws = random.integers(0, len(self.rotated), len(self.rotated))
            by_draw = {d: np.median(self.rotated[d][prompts]) for d in set(draws.tolist())}
            found.append(np.mean([by_draw[d] for d in draws]) - np.median(self.own[prompts]))
        return [float(x) for x in np.quantile(found, [0.025, 0.975])]


def retention(model: Processed, tokens: torch.Tensor, nodes: list[str], draws: int = 4, batch: int = 20, seed: int = 0) -> list[Retention]:
    """One Retention for each node, on token ids [prompt, pos]."""
    turns = [rotation(model.W_E.shape[1], seed + draw).to(model.W_E.device) for draw in range(draws)]
    found: dict[str, dict[int, dict[str, list]]] = {n: {k: {} for k in range(draws + 1)} for n in nodes}
    for part in tokens.split(batch):
        run = model(part.to(model.W_E.device))
        for node in nodes:
            w = run.nodes[node]
            for k, delta in enumerate([w, *(w @ q for q in turns)]):
                for place, r in retained_of(model, run, written_at(node), delta).items():
                    found[node][k].setdefault(place, []).append(r.cpu().numpy())
    result = []
    for node, by_draw in found.items():
        values = {k: {place: np.concatenate(x) for place, x in places.items()} for k, places in by_draw.items()}
        end = list(values[0])[-1]
        rotated = {place: float(np.mean([np.median(values[k][place]) for k in range(1, draws + 1)])) if draws else float("nan") for place in values[0]}
        result.append(Retention(node, {p: float(np.median(x)) for p, x in values[0].items()}, rotated, values[0][end],
                                np.stack([values[k][end] for k in range(1, draws + 1)]) if draws else np.empty((0, *values[0][end].shape))))
    return result
