"""One forward pass of an exported model with every node apart, on processed weights: what measure.py judges.

The weights are processed as TransformerLens does it by default: LayerNorm weights and biases folded into what reads them, the mean
over d_model taken out of everything that writes to the residual stream, the mean over the vocabulary out of W_U, b_V moved into b_O.
LayerNorm is then: subtract the mean, divide by scale = √(mean(x²) + eps).
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


def centred(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    return x - x.mean(dim, keepdim=True)


@dataclass
class Run:
    """Locations and nodes [batch, pos, d_model]; patterns[l] [batch, head, query, key]; scales[l] [batch, pos, 1], "final" for ln_final."""

    residual: dict[str, torch.Tensor]
    nodes: dict[str, torch.Tensor]
    patterns: dict[int, torch.Tensor]
    scales: dict[int | str, torch.Tensor]
    logits: torch.Tensor


class Processed:
    def __init__(self, folder: Path, device: str = "cpu"):
        self.config = json.loads((folder / "config.json").read_text())
        self.eps = self.config.get("eps", 1e-5)
        w = {name: x.to(device) for name, x in load_file(folder / "model.safetensors").items()}
        self.layers = []
        for layer in range(self.config["n_layers"]):
            g = lambda name, at=f"blocks.{layer}.": w[at + name]
            block = {}
            for x in "QKV":  # [head, d_model, d_head] and [head, d_head]
                weight, bias = g(f"attn.W_{x}"), g(f"attn.b_{x}")
                block["b_" + x] = bias + torch.einsum("hmd,m->hd", weight, g("ln1.b"))
                block["W_" + x] = centred(weight * g("ln1.w")[:, None], 1)
            block["b_O"] = centred(g("attn.b_O") + torch.einsum("hd,hdm->m", block.pop("b_V"), g("attn.W_O")))
            block["W_O"] = centred(g("attn.W_O"))
            block["b_in"] = g("mlp.b_in") + g("ln2.b") @ g("mlp.W_in")
            block["W_in"] = centred(g("mlp.W_in") * g("ln2.w")[:, None], 0)
            block["W_out"], block["b_out"] = centred(g("mlp.W_out")), centred(g("mlp.b_out"))
            self.layers.append(block)
        rms = lambda x: x.pow(2).mean().sqrt().item()
        self.position_share = rms(w["pos_embed.W_pos"]) / rms(w["embed.W_E"])  # before anything is folded or centred
        self.W_E, self.W_pos = centred(w["embed.W_E"]), centred(w["pos_embed.W_pos"])
        b_U = w["unembed.b_U"] + w["ln_final.b"] @ w["unembed.W_U"]
        self.W_U = centred(centred(w["unembed.W_U"] * w["ln_final.w"][:, None], 0))
        self.b_U = centred(b_U)

    def scale(self, x: torch.Tensor) -> torch.Tensor:
        return (centred(x).pow(2).mean(-1, keepdim=True) + self.eps).sqrt()

    def q_k_v(self, layer: int, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """n: the normalised stream [batch, pos, d_model] → [batch, head, pos, d_head] each."""
        b = self.layers[layer]
        q, k, v = (torch.einsum("bpm,hmd->bhpd", n, b["W_" + name]) for name in "QKV")
        return q + b["b_Q"][:, None], k + b["b_K"][:, None], v

    def mlp(self, layer: int, x: torch.Tensor) -> torch.Tensor:
        b = self.layers[layer]
        return F.gelu(centred(x) / self.scale(x) @ b["W_in"] + b["b_in"]) @ b["W_out"] + b["b_out"]

    def __call__(self, tokens: torch.Tensor) -> Run:
        """Token ids [batch, pos]."""
        pos = tokens.shape[1]
        nodes = {"embed": self.W_E[tokens], "pos_embed": self.W_pos[:pos].expand(len(tokens), -1, -1)}
        x = nodes["embed"] + nodes["pos_embed"]
        run = Run({"pre0": x}, nodes, {}, {}, x)
        future = torch.ones(pos, pos, dtype=torch.bool, device=x.device).triu(1)
        for layer, b in enumerate(self.layers):
            run.scales[layer] = self.scale(x)
            q, k, v = self.q_k_v(layer, centred(x) / run.scales[layer])
            run.patterns[layer] = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(future, -torch.inf).softmax(-1)
            z = run.patterns[layer] @ v
            for head in range(z.shape[1]):
                nodes[f"L{layer}H{head}"] = z[:, head] @ b["W_O"][head]
            x = x + sum(nodes[f"L{layer}H{head}"] for head in range(z.shape[1])) + b["b_O"]
            run.residual[f"mid{layer}"] = x
            nodes[f"MLP{layer}"] = self.mlp(layer, x)
            x = x + nodes[f"MLP{layer}"]
            run.residual[f"post{layer}"] = x
        run.scales["final"] = self.scale(x)
        run.logits = centred(x) / run.scales["final"] @ self.W_U + self.b_U
        return run

    def onward(self, x: torch.Tensor, location: str) -> dict[str, torch.Tensor]:
        """The residual stream from `location` on, where x [batch, pos, d_model] stands in its place."""
        residual = {location: x}
        for layer in range(len(self.layers)):
            if f"mid{layer}" not in residual and (residual.keys() & {"pre0", f"post{layer - 1}"}):
                z = F.scaled_dot_product_attention(*self.q_k_v(layer, centred(x) / self.scale(x)), is_causal=True)
                x = x + torch.einsum("bhpd,hdm->bpm", z, self.layers[layer]["W_O"]) + self.layers[layer]["b_O"]
                residual[f"mid{layer}"] = x
            if f"mid{layer}" in residual and f"post{layer}" not in residual:
                x = x + self.mlp(layer, x)
                residual[f"post{layer}"] = x
        return residual

    def v_composition(self, run: Run, writer: torch.Tensor, layer: int) -> torch.Tensor:
        """What each head of `layer` writes because it reads the writer in its V input, [batch, head, pos, d_head] before W_O.

        With processed weights this is exactly the clean head's z minus its z in the patched run (V input without the writer, scale frozen).
        """
        value = torch.einsum("bpm,hmd->bhpd", centred(writer) / run.scales[layer], self.layers[layer]["W_V"])
        return run.patterns[layer] @ value
