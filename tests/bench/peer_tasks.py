"""What every peer of the bench measures: Figures 1 to 3, and retention of one writer beside a control. A peer (peer_lens.py, peer_nnsight.py)
gives values of hook points; each batch is reduced to numbers before the next, and no head's output is made where its dot product is enough.
"""

import torch

WRITER_LAYER = 0


def ratio(equation: str, a, b):
    """PR(a, b) = a·b / ‖b‖² by einsum, as in the authors' code (faster than a product and a sum); d: d_model."""
    return torch.einsum(equation, a, b / b.norm(dim=-1, keepdim=True).pow(2))


def heads_onto(z, W_O, onto):
    """What each head adds, in the direction of `onto` [batch, pos, d_model]: z [batch, pos, head, d_head] → [head, batch, pos]."""
    return (z * torch.einsum("bpd,hkd->bphk", onto, W_O)).sum(-1).permute(2, 0, 1)


def medians(parts: dict[str, list]) -> dict[str, list[float]]:
    """parts: [what, batch, pos] of each batch. Medians and quartiles are what the figures plot; the medians are printed, to be compared."""
    import numpy as np

    found = {}
    for name, batches in parts.items():
        quartiles = np.quantile(torch.cat(batches, dim=1).flatten(1).numpy(), [0.25, 0.5, 0.75], axis=1)
        found[name] = [float(f"{m:.6g}") for m in quartiles[1]]
    return found


class Figures:
    """Gathers projection ratios batch by batch; `parts` is what `medians` closes."""

    def __init__(self, peer, writer: int, cleaner_layer: int):
        self.peer, self.writer, self.layer = peer, writer, cleaner_layer
        layers = range(peer.d.n_layers)
        self.locations = ["blocks.0.hook_resid_pre"] + [f"blocks.{i}.hook_resid_{part}" for i in layers for part in ("mid", "post")]
        self.z = [f"blocks.{i}.attn.hook_z" for i in layers]
        self.mlps = [f"blocks.{i}.hook_mlp_out" for i in layers]
        self.scale = f"blocks.{cleaner_layer}.ln1.hook_scale"
        self.parts: dict[str, list] = {}

    def add(self, figure: str, values) -> None:
        """values: [what, batch, pos]."""
        self.parts.setdefault(figure, []).append(values)

    def residuals(self, cache):
        """[location, batch, pos, d_model]"""
        return torch.stack([cache[name] for name in self.locations])

    def figure1(self, cache, results) -> None:
        """results: what the heads of the writer's layer add, [batch, pos, head, d_model]."""
        for location, values in zip(self.locations, ratio("lbpd,bphd->lhbp", self.residuals(cache), results)):
            self.add(f"1 {location}", values)

    def thrifty(self, tokens) -> None:
        """A clean pass, and a patched one from the cleaners' layer on where the peer can begin there: what comes before it is the same."""
        W_O, start = self.peer.W_O, self.layer
        clean = self.peer.run(tokens, {*self.locations, *self.z, *self.mlps, self.scale})
        results = torch.einsum("bphk,hkd->bphd", clean[self.z[WRITER_LAYER]], W_O[WRITER_LAYER])
        writer = results[:, :, self.writer]
        self.figure1(clean, results)
        unit = writer / writer.norm(dim=-1, keepdim=True).pow(2)
        heads = [heads_onto(clean[name], W_O[layer], unit) for layer, name in enumerate(self.z)]
        mlps = [torch.einsum("bpd,bpd->bp", clean[name], unit)[None] for name in self.mlps]
        self.add("2", torch.cat(heads + mlps))
        enters = f"blocks.{start - 1}.hook_resid_post"
        after = {name for name in self.locations if int(name.split(".")[1]) >= start}
        patched = self.peer.run(tokens, {*after, self.z[start]}, patch=(start, writer, clean[self.scale]), start=start, resid=clean[enters])
        seen = {name: patched[name] if name in after else clean[name] for name in self.locations}
        for run, cache, z in (("clean", clean, clean[self.z[start]]), ("patched", seen, patched[self.z[start]])):
            self.add(f"3a {run}", ratio("lbpd,bpd->lbp", self.residuals(cache), writer))
            self.add(f"3b {run}", heads_onto(z, W_O[start], unit))


class Retention:
    """R at the end of the stream and the responses of all later nodes, of a head and of its output rotated, at positions ≥ 1."""

    def __init__(self, peer, writer: int, rotation):
        """rotation: Q [rotated, d_model]."""
        self.peer, self.writer, self.rotation = peer, writer, rotation
        layers = range(peer.d.n_layers)
        self.end = f"blocks.{peer.d.n_layers - 1}.hook_resid_post"
        self.mlps = {i: f"blocks.{i}.hook_mlp_out" for i in layers}
        self.z = {i: f"blocks.{i}.attn.hook_z" for i in layers if i > WRITER_LAYER}
        self.parts: dict[str, list] = {}

    def batch(self, tokens) -> None:
        names, own = {self.end, *self.mlps.values(), *self.z.values()}, f"blocks.{WRITER_LAYER}.attn.hook_z"
        clean = self.peer.run(tokens, {*names, own})
        w = clean[own][:, :, self.writer] @ self.peer.W_O[WRITER_LAYER, self.writer]
        for run, delta in (("writer", w), ("control", w @ self.rotation.T)):
            delta = delta.clone()
            delta[:, 0] = 0
            other = self.peer.run(tokens, names, without=(WRITER_LAYER, delta))
            onto = delta / delta.pow(2).sum(-1, keepdim=True)
            rows = [(clean[self.end] - other[self.end]).mul(onto).sum(-1)[None]]
            for layer, mlp in self.mlps.items():
                if layer in self.z:
                    rows.append(heads_onto(clean[self.z[layer]] - other[self.z[layer]], self.peer.W_O[layer], onto))
                rows.append((clean[mlp] - other[mlp]).mul(onto).sum(-1)[None])
            self.parts.setdefault(f"retention {run}", []).append(torch.cat(rows)[:, :, 1:])
