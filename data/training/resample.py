"""Figure 4 at random places: does a head's DLA depend on what it reads?

A place is a prompt and a position (from 7 on) where the first answer leads the second by at least 0.5 logits and the writer's DLA for it is at least 0.5.
At that position the head's normalised input (Q, K and V) is replaced by that of other prompts at the same position; earlier positions keep theirs, and the
final scale is the clean one. `unmoved`: the median over the other prompts is within a tenth of the clean DLA. `loses half`: of the other head with the
highest DLA the median is at most half. No place is chosen for either.
"""

import math

import torch

from run import Processed, Run, centred


def resampled_dla(model: Processed, inputs: torch.Tensor, place: tuple[int, int], head: tuple[int, int], direction: torch.Tensor) -> torch.Tensor:
    """inputs: what the head's layer reads [prompt, pos, d_model]; direction [d_model]. DLA with each prompt's input at the place's position, [prompt]."""
    (prompt, pos), (layer, h) = place, head
    b = model.layers[layer]
    read = lambda n, name: n @ b["W_" + name][h] + (b["b_" + name][h] if name != "V" else 0)
    own, other = inputs[prompt, :pos], inputs[:, pos]
    q = read(other, "Q")
    scores = torch.cat([q @ read(own, "K").T, (q * read(other, "K")).sum(-1, keepdim=True)], 1) / math.sqrt(q.shape[-1])
    pattern = scores.softmax(-1)
    z = pattern[:, :-1] @ read(own, "V") + pattern[:, -1:] * read(other, "V")
    return z @ (b["W_O"][h] @ direction)


def what_matters(model: Processed, run: Run, names: list[str]) -> dict:
    """Of one batch: the lead of the first answer, its direction over the final scale, every head's DLA, what each layer's heads read."""
    values, top = run.logits.topk(2, -1)
    direction = (model.W_U.T[top[..., 0]] - model.W_U.T[top[..., 1]]) / run.scales["final"]
    before = ["pre0", *(f"post{layer}" for layer in range(len(model.layers) - 1))]
    return {"lead": values[..., 0] - values[..., 1], "direction": direction, "dla": {n: (run.nodes[n] * direction).sum(-1) for n in names},
            "inputs": [centred(run.residual[at]) / run.scales[layer] for layer, at in enumerate(before)]}


def resample(model: Processed, tokens: torch.Tensor, writer: str, places: int = 200, others: int = 60, first: int = 7, seed: int = 0) -> dict:
    """On the first `others` prompts as the source of other inputs, on random places of all."""
    n_layers, n_heads = len(model.layers), model.layers[0]["W_O"].shape[0]
    names = [f"L{layer}H{h}" for layer in range(n_layers) for h in range(n_heads)]
    parts = [what_matters(model, model(part), names) for part in tokens.split(20)]
    lead, direction = (torch.cat([part[key] for part in parts]) for key in ("lead", "direction"))
    dla = {name: torch.cat([part["dla"][name] for part in parts]) for name in names}
    inputs = [torch.cat([part["inputs"][layer] for part in parts]) for layer in range(n_layers)]
    fits = (lead >= 0.5) & (dla[writer] >= 0.5)
    fits[:, :first] = False
    found = fits.nonzero()
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))[:places]
    head = lambda name: (int(name[1]), int(name[3:]))
    unmoved, loses_half = [], []
    for prompt, pos in found[order].tolist():
        def median(name: str) -> float:
            source = torch.cat([inputs[head(name)[0]][:others], inputs[head(name)[0]][prompt : prompt + 1]])  # the place's own row last
            values = resampled_dla(model, source, (len(source) - 1, pos), head(name), direction[prompt, pos])
            return values[[i for i in range(min(others, len(tokens))) if i != prompt]].median().item()

        clean = dla[writer][prompt, pos].item()
        unmoved.append(abs(median(writer) - clean) <= 0.1 * clean)
        other = max((n for n in names if n != writer), key=lambda n: dla[n][prompt, pos].item())
        loses_half.append(median(other) <= 0.5 * dla[other][prompt, pos].item())
    share = lambda x: sum(x) / len(x) if x else float("nan")
    return {"fitting": fits[:, first:].float().mean().item(), "places": len(order), "unmoved": share(unmoved), "loses_half": share(loses_half)}
