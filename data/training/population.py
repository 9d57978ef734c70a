"""Many models of one architecture as one model with a dimension more: their weights, and a training step of all.

A training step of one model of this size leaves a GPU idle. Here the weights of all stand in one tensor with the model in front, and every model sees the same rows.
One step of one member is one of train.py (Muon for the blocks' matrices, AdamW for the rest, gradients clipped member by member): with the same seed the losses are the same
to 0.001 over 150 steps. breed.py says who is trained.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from model import Config, Model, causal_attention
from muon import orthogonal

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


def revived(weights: dict[str, torch.Tensor], dead: list[tuple[int, int]], seed: int) -> dict[str, torch.Tensor]:
    random_, w, c = torch.Generator().manual_seed(seed), {name: x.clone() for name, x in weights.items()}, CONFIG
    for layer, head in dead:
        at, columns = f"blocks.{layer}.", slice(head * c.d_head, (head + 1) * c.d_head)
        w[at + "W_QKV"][:, :, columns] = torch.randn(3, c.d_model, c.d_head, generator=random_) * c.in_scale / c.d_model**0.5
        w[at + "b_QKV"][:, columns] = 0
        w[at + "W_O"][columns] = torch.randn(c.d_head, c.d_model, generator=random_) * c.out_scale / (c.n_heads * c.d_head) ** 0.5
    return w
