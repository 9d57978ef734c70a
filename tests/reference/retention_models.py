"""What retention.py needs of a model: a run from any layer on, with a vector taken out of what one node adds, or with norms and patterns frozen.

Two kinds: a Hugging Face folder of the Llama family, run by `transformers` with forward hooks; and a TransformerLens-layout folder
with LayerNorm (the embedded model), run here on the processed weights of data/training/run.py.

Nodes: embed, pos_embed, L0H0 …, MLP0, L1H0 …; a head's output is z_h · W_O[h], without any bias, an MLP's is all that it adds.
Locations: resid_pre0, resid_mid0, resid_post0, resid_mid1 ….
"""

import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Trace:
    """One run, from some layer on. Of [batch, pos, …] each."""

    stream: dict[str, torch.Tensor] = field(default_factory=dict)  # location → [batch, pos, d_model]
    z: dict[int, torch.Tensor] = field(default_factory=dict)  # layer → [batch, pos, head, d_head]
    mlp: dict[int, torch.Tensor] = field(default_factory=dict)  # layer → [batch, pos, d_model]
    pattern: dict[int, torch.Tensor] = field(default_factory=dict)  # layer → [batch, head, query, key]
    scale: dict[str, torch.Tensor] = field(default_factory=dict)  # ln1.0, ln2.0, …, final → [batch, pos, 1]: what the norm divides by
    embeddings: dict[str, torch.Tensor] = field(default_factory=dict)  # embed, pos_embed


@dataclass
class Removal:
    """delta [batch, pos, d_model], taken out of what attention ("attn"), the MLP ("mlp") or the embedding ("embed") of `layer` adds."""

    at: str
    layer: int
    delta: torch.Tensor


def several(x: torch.Tensor, batch: int) -> torch.Tensor:
    """A clean tensor of b prompts for a run of k · b rows (k variants of the same prompts, one after the other)."""
    return x if x.shape[0] == batch else x.repeat(batch // x.shape[0], *[1] * (x.dim() - 1))


class Llama:
    centred = False

    def __init__(self, folder: Path, dtype=torch.float64):
        from transformers import AutoModelForCausalLM

        # "eager", since the frozen route needs the patterns.
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
        config = self.model.config
        self.n_layers, self.n_heads, self.d_model = config.num_hidden_layers, config.num_attention_heads, config.hidden_size
        self.d_head = self.model.model.layers[0].self_attn.head_dim
        self.groups = config.num_attention_heads // config.num_key_value_heads
        self.embeddings = ["embed"]
        self.run: Trace | None = None
        self.removal: Removal | None = None
        self.frozen: Trace | None = None
        self.values: torch.Tensor | None = None
        for layer, block in enumerate(self.model.model.layers):
            block.register_forward_pre_hook(lambda m, args, l=layer: self.enters(args[0], l))
            block.input_layernorm.register_forward_hook(lambda m, args, out, l=layer: self.norm(m, args[0], f"ln1.{l}"))
            block.post_attention_layernorm.register_forward_pre_hook(lambda m, args, l=layer: self.put(f"resid_mid{l}", args[0]))
            block.post_attention_layernorm.register_forward_hook(lambda m, args, out, l=layer: self.norm(m, args[0], f"ln2.{l}"))
            block.self_attn.v_proj.register_forward_hook(lambda m, args, out: setattr(self, "values", out))
            block.self_attn.o_proj.register_forward_pre_hook(lambda m, args, l=layer: self.mixed(args[0], l))
            block.self_attn.register_forward_hook(lambda m, args, out, l=layer: self.attention(m, out, l))
            block.mlp.register_forward_hook(lambda m, args, out, l=layer: self.fed_forward(out, l))

    # Hooks. What a forward hook returns takes the place of the module's output.
    def put(self, location: str, x: torch.Tensor) -> None:
        self.run.stream[location] = x

    def enters(self, x: torch.Tensor, layer: int) -> None:
        self.put("resid_pre0" if layer == 0 else f"resid_post{layer - 1}", x)

    def norm(self, module, x: torch.Tensor, name: str) -> torch.Tensor:
        own = (x.pow(2).mean(-1, keepdim=True) + module.variance_epsilon).sqrt()
        self.run.scale[name] = several(self.frozen.scale[name], len(x)) if self.frozen else own
        return x / self.run.scale[name] * module.weight

    def mixed(self, z: torch.Tensor, layer: int) -> None:
        self.run.z[layer] = z.unflatten(-1, (self.n_heads, self.d_head))

    def attention(self, module, out, layer: int):
        added, pattern = out[0], out[1]
        if self.frozen:
            pattern = several(self.frozen.pattern[layer], len(added))
            v = self.values.unflatten(-1, (-1, self.d_head)).transpose(1, 2).repeat_interleave(self.groups, 1)
            added = module.o_proj((pattern @ v).transpose(1, 2).flatten(-2))  # its hook records these z over the others
        self.run.pattern[layer] = pattern
        return self.without("attn", layer, added), pattern

    def fed_forward(self, out: torch.Tensor, layer: int) -> torch.Tensor:
        self.run.mlp[layer] = out
        return self.without("mlp", layer, out)

    def without(self, at: str, layer: int, x: torch.Tensor) -> torch.Tensor:
        r = self.removal
        return x - r.delta if r and (r.at, r.layer) == (at, layer) else x

    def embed(self, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"embed": self.model.model.embed_tokens(tokens)}

    def trace(self, x: torch.Tensor, first: int = 0, removal: Removal | None = None, frozen: Trace | None = None) -> Trace:
        """The layers from `first` on, x [batch, pos, d_model] being what enters it."""
        self.run, self.removal, self.frozen = Trace(), removal, frozen
        pos = torch.arange(x.shape[1])[None]
        rotary = self.model.model.rotary_emb(x, pos)
        mask = torch.full((x.shape[1], x.shape[1]), torch.finfo(x.dtype).min, dtype=x.dtype).triu(1)[None, None]
        if removal and removal.at == "embed":
            x = x - removal.delta
        for layer in range(first, self.n_layers):
            out = self.model.model.layers[layer](x, attention_mask=mask, position_ids=pos, position_embeddings=rotary)
            x = out if isinstance(out, torch.Tensor) else out[0]
        self.put(f"resid_post{self.n_layers - 1}", x)
        run, self.run, self.removal, self.frozen = self.run, None, None, None
        run.scale["final"] = (x.pow(2).mean(-1, keepdim=True) + self.model.model.norm.variance_epsilon).sqrt()
        return run

    def W_O(self, layer: int) -> torch.Tensor:
        """[head, d_head, d_model]"""
        return self.model.model.layers[layer].self_attn.o_proj.weight.T.unflatten(0, (self.n_heads, self.d_head))

    def W_U(self, ids: torch.Tensor) -> torch.Tensor:
        """[…, d_model] for token ids […]: what the stream over the final scale is multiplied by."""
        return self.model.lm_head.weight[ids] * self.model.model.norm.weight

    def b_U(self, ids: torch.Tensor) -> torch.Tensor:
        return torch.zeros(ids.shape, dtype=self.model.lm_head.weight.dtype)

    def logits(self, run: Trace) -> torch.Tensor:
        normed = run.stream[f"resid_post{self.n_layers - 1}"] / run.scale["final"] * self.model.model.norm.weight
        return normed @ self.model.lm_head.weight.T


class Embedded:
    centred = True

    def __init__(self, folder: Path, dtype=torch.float64):
        sys.path.insert(0, str(ROOT / "data/training"))
        from run import Processed

        # Processed in float32, as TransformerLens does; the forward pass is in dtype.
        self.p = Processed(folder)
        self.p.W_E, self.p.W_pos, self.p.W_U_, self.p.b_U_ = (x.to(dtype) for x in (self.p.W_E, self.p.W_pos, self.p.W_U, self.p.b_U))
        self.layers = [{name: x.to(dtype) for name, x in block.items()} for block in self.p.layers]
        config = self.p.config
        self.n_layers, self.n_heads, self.d_model, self.d_head = (config[k] for k in ("n_layers", "n_heads", "d_model", "d_head"))
        self.embeddings = ["embed", "pos_embed"]

    def embed(self, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"embed": self.p.W_E[tokens], "pos_embed": self.p.W_pos[: tokens.shape[1]].expand(*tokens.shape, -1)}

    def trace(self, x: torch.Tensor, first: int = 0, removal: Removal | None = None, frozen: Trace | None = None) -> Trace:
        run = Trace()

        def norm(x: torch.Tensor, name: str) -> torch.Tensor:
            run.scale[name] = several(frozen.scale[name], len(x)) if frozen else self.p.scale(x)
            return (x - x.mean(-1, keepdim=True)) / run.scale[name]

        def without(at: str, layer: int, x: torch.Tensor) -> torch.Tensor:
            return x - removal.delta if removal and (removal.at, removal.layer) == (at, layer) else x

        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        x = without("embed", 0, x)
        run.stream["resid_pre0" if first == 0 else f"resid_post{first - 1}"] = x
        for layer in range(first, self.n_layers):
            b = self.layers[layer]
            n = norm(x, f"ln1.{layer}")
            q, k = (torch.einsum("bpm,hmd->bhpd", n, b["W_" + name]) + b["b_" + name][:, None] for name in "QK")
            own = (q @ k.mT / math.sqrt(self.d_head)).masked_fill(future, -torch.inf).softmax(-1)
            run.pattern[layer] = several(frozen.pattern[layer], len(x)) if frozen else own
            run.z[layer] = (run.pattern[layer] @ torch.einsum("bpm,hmd->bhpd", n, b["W_V"])).transpose(1, 2)
            x = x + without("attn", layer, torch.einsum("bphd,hdm->bpm", run.z[layer], b["W_O"]) + b["b_O"])
            run.stream[f"resid_mid{layer}"] = x
            run.mlp[layer] = F.gelu(norm(x, f"ln2.{layer}") @ b["W_in"] + b["b_in"]) @ b["W_out"] + b["b_out"]
            x = x + without("mlp", layer, run.mlp[layer])
            run.stream[f"resid_post{layer}"] = x
        run.scale["final"] = self.p.scale(x)
        return run

    def W_O(self, layer: int) -> torch.Tensor:
        return self.layers[layer]["W_O"]

    def W_U(self, ids: torch.Tensor) -> torch.Tensor:
        return self.p.W_U_.T[ids]

    def b_U(self, ids: torch.Tensor) -> torch.Tensor:
        return self.p.b_U_[ids]

    def logits(self, run: Trace) -> torch.Tensor:
        x = run.stream[f"resid_post{self.n_layers - 1}"]
        return (x - x.mean(-1, keepdim=True)) / run.scale["final"] @ self.p.W_U_ + self.p.b_U_


def load(folder: Path, dtype=torch.float64) -> Llama | Embedded:
    config = json.loads((folder / "config.json").read_text())
    if "n_layers" in config:
        return Embedded(folder, dtype)
    if config.get("model_type") != "llama":
        raise SystemExit(f"{folder}: expected a TransformerLens-layout folder or model_type llama, got {config.get('model_type')!r}")
    return Llama(folder, dtype)
