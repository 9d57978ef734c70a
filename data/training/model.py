"""A language model of gelu-4l's kind, in the form it is trained in, and its export in TransformerLens names.

x = W_E[t] + W_pos;  x += attention(LN(x));  x += MLP(LN(x)), for every block;  logits = LN(x) W_U + b_U

LayerNorm with weight and bias (eps 1e-5), exact GELU, causal attention scaled by 1/√d_head, learned positions, untied unembedding.
Stated variants, which export as an ordinary model with zeros: positions "none" (W_pos is zero), no MLP in layer 0 (its W_out and
b_out are zero), and no value biases (b_V, b_O and ln1.b are zero: a head's constant part is then not cancelled by a bias at the moment it
is written). Nothing here plants a writer or a cleaner; `constrain` only bounds the embeddings' lengths and keeps those zeros.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

EPS = 1e-5


@dataclass(frozen=True)
class Config:
    """Defaults: the first embedded model."""

    d_model: int = 64
    n_layers: int = 4
    n_heads: int = 8
    d_head: int = 16
    d_mlp: int = 512
    n_ctx: int = 256
    d_vocab: int = 4096
    positions: str = "learned"  # or "sinusoids", learned from those on, or "none"
    mlp0: bool = True  # False: layer 0 has no MLP
    value_bias: bool = True  # False: b_V, b_O and ln1.b are zero, so attention adds no constant to the residual stream
    emb_std: float = 0.7  # of the entries of W_E at the start
    pos_std: float = 0.3  # of the entries of W_pos
    unembed_std: float = 0.05
    in_scale: float = 0.6  # W_Q, W_K, W_V, W_in: std in_scale / √fan_in
    out_scale: float = 0.06  # W_O, W_out: std out_scale / √fan_in; small, so that a block begins near the identity

    def toy_config(self) -> dict:
        """config.json: the keys of the TransformerLens toy models."""
        names = ("d_model", "n_layers", "d_mlp", "d_head", "n_heads", "n_ctx", "d_vocab")
        return {**{name: getattr(self, name) for name in names}, "act_fn": "gelu", "attn_only": False, "normalization": "LN",
                "eps": EPS, "architecture": "neel", "tokenizer_name": "tokenizer.json", "default_prepend_bos": True}


def sinusoids(n_ctx: int, d_model: int) -> torch.Tensor:
    """[pos, d_model] of root mean square 1 in every row: wavelengths from 2π to 2π·n_ctx, in geometric steps (Vaswani et al., 2017, have 10000 for n_ctx)."""
    rate = n_ctx ** (-torch.arange(0, d_model, 2) / d_model)
    angle = torch.arange(n_ctx)[:, None] * rate
    return math.sqrt(2) * torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :d_model]


def causal_attention(qkv: torch.Tensor) -> torch.Tensor:
    """[batch, pos, 3, head, d_head] → z [batch, pos, head, d_head]."""
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


class Block(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c, width = c, c.n_heads * c.d_head
        self.ln1, self.ln2 = nn.LayerNorm(c.d_model, EPS), nn.LayerNorm(c.d_model, EPS)
        self.W_QKV = nn.Parameter(torch.randn(3, c.d_model, width) * c.in_scale / math.sqrt(c.d_model))
        self.b_QKV = nn.Parameter(torch.zeros(3, width))
        self.W_O = nn.Parameter(torch.randn(width, c.d_model) * c.out_scale / math.sqrt(width))
        self.b_O = nn.Parameter(torch.zeros(c.d_model))
        self.W_in = nn.Parameter(torch.randn(c.d_model, c.d_mlp) * c.in_scale / math.sqrt(c.d_model))
        self.b_in = nn.Parameter(torch.zeros(c.d_mlp))
        self.W_out = nn.Parameter(torch.randn(c.d_mlp, c.d_model) * c.out_scale / math.sqrt(c.d_mlp))
        self.b_out = nn.Parameter(torch.zeros(c.d_model))
        self.has_mlp = True
        self.head_dropout = 0.0  # while training: the share of rows in which a head writes nothing
        self.attend = causal_attention  # train.py may put a faster one of the same result here

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, pos, d_model] → the same."""
        c, (batch, pos, _) = self.c, x.shape
        n = self.ln1(x)
        # Side by side, so that Q, K and V are one product.
        weight = self.W_QKV.permute(1, 0, 2).reshape(c.d_model, -1)
        qkv = F.linear(n, weight.T, self.b_QKV.reshape(-1)).view(batch, pos, 3, c.n_heads, c.d_head)
        z = self.attend(qkv)
        if self.training and self.head_dropout > 0:
            kept = torch.rand(batch, 1, c.n_heads, 1, device=z.device) >= self.head_dropout
            z = z * (kept / (1 - self.head_dropout))
        x = x + F.linear(z.reshape(batch, pos, -1), self.W_O.T, self.b_O)
        if not self.has_mlp:
            return x
        return x + F.linear(F.gelu(F.linear(self.ln2(x), self.W_in.T, self.b_in)), self.W_out.T, self.b_out)


class Model(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.W_E = nn.Parameter(torch.randn(c.d_vocab, c.d_model) * c.emb_std)
        self.W_pos = nn.Parameter(torch.randn(c.n_ctx, c.d_model) * c.pos_std)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.n_layers))
        self.ln_final = nn.LayerNorm(c.d_model, EPS)
        self.W_U = nn.Parameter(torch.randn(c.d_model, c.d_vocab) * c.unembed_std)
        self.b_U = nn.Parameter(torch.zeros(c.d_vocab))
        if c.positions == "none":
            self.W_pos.data.zero_()
            self.W_pos.requires_grad_(False)
        elif c.positions == "sinusoids":
            self.W_pos.data.copy_(sinusoids(c.n_ctx, c.d_model) * c.pos_std)
        elif c.positions != "learned":
            raise ValueError(f"positions: expected learned, sinusoids or none, got {c.positions!r}")
        if not c.mlp0:
            first = self.blocks[0]
            first.has_mlp = False
            for p in (first.W_in, first.b_in, first.W_out, first.b_out, first.ln2.weight, first.ln2.bias):
                p.requires_grad_(False)
            first.W_out.data.zero_()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Token ids [batch, pos] → logits [batch, pos, d_vocab]."""
        x = F.embedding(tokens, self.W_E) + self.W_pos[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.ln_final(x), self.W_U.T, self.b_U)

    @torch.no_grad()
    def constrain(self, embedding: float | None, position: float | None) -> None:
        """Shortens every row of W_E (W_pos) whose root mean square is above the limit; keeps the biases of a variant at zero."""
        if not self.c.value_bias:
            for b in self.blocks:
                for bias in (b.b_QKV[2], b.b_O, b.ln1.bias):
                    bias.zero_()
        for weight, limit in ((self.W_E, embedding), (self.W_pos, position)):
            if limit is not None:
                weight.mul_((limit / weight.pow(2).mean(-1, keepdim=True).sqrt().clamp_min(1e-12)).clamp_max(1))

    def named_weights(self) -> dict[str, torch.Tensor]:
        """TransformerLens names and shapes; W_Q, W_K and W_V are rearranged views."""
        c = self.c
        heads = lambda w: w.view(c.d_model, c.n_heads, c.d_head).permute(1, 0, 2)
        state = {"embed.W_E": self.W_E, "pos_embed.W_pos": self.W_pos, "unembed.W_U": self.W_U, "unembed.b_U": self.b_U,
                 "ln_final.w": self.ln_final.weight, "ln_final.b": self.ln_final.bias}
        for layer, b in enumerate(self.blocks):
            at = f"blocks.{layer}."
            for ln in ("ln1", "ln2"):
                state |= {f"{at}{ln}.w": getattr(b, ln).weight, f"{at}{ln}.b": getattr(b, ln).bias}
            for i, name in enumerate("QKV"):
                state |= {f"{at}attn.W_{name}": heads(b.W_QKV[i]), f"{at}attn.b_{name}": b.b_QKV[i].view(c.n_heads, c.d_head)}
            state |= {f"{at}attn.W_O": b.W_O.view(c.n_heads, c.d_head, c.d_model), f"{at}attn.b_O": b.b_O}
            state |= {f"{at}mlp.{name}": getattr(b, name) for name in ("W_in", "b_in", "W_out", "b_out")}
        return state

    @torch.no_grad()
    def load(self, folder: Path) -> None:
        """The weights of an exported model of the same dimensions, to train it further."""
        exported = load_file(folder / "model.safetensors")
        for name, weight in self.named_weights().items():
            if exported[name].shape != weight.shape:
                raise ValueError(f"{folder}: {name} is {list(exported[name].shape)}, expected {list(weight.shape)}")
            weight.copy_(exported[name])

    @torch.no_grad()
    def export(self, folder: Path) -> None:
        """config.json and model.safetensors (float32, unprocessed); training.json keeps what the two leave out."""
        state = self.named_weights()
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "model.safetensors.partial"
        save_file({name: w.detach().float().cpu().clone(memory_format=torch.contiguous_format) for name, w in state.items()}, partial)
        partial.chmod(0o644)
        partial.replace(folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(self.c.toy_config(), indent=1) + "\n")
        (folder / "training.json").write_text(json.dumps(asdict(self.c), indent=1) + "\n")
