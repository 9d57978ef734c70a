"""The bench's weights (TransformerLens key names, unprocessed) as the models that the peers take: dimensions are read from the shapes.

GPT-2 of `transformers` can say all of gelu-4l's architecture (exact GELU, an unembedding of its own) but b_U, which is 0 in the bench.
"""

from dataclasses import dataclass

import torch


@dataclass
class Dims:
    n_layers: int
    d_model: int
    d_head: int
    n_heads: int
    d_mlp: int
    n_ctx: int
    d_vocab: int
    eps: float = 1e-5


def dims(weights: dict[str, torch.Tensor]) -> Dims:
    d_vocab, d_model = weights["embed.W_E"].shape
    n_heads, _, d_head = weights["blocks.0.attn.W_Q"].shape
    return Dims(
        n_layers=sum(name.endswith("attn.W_Q") for name in weights), d_model=d_model, d_head=d_head, n_heads=n_heads,
        d_mlp=weights["blocks.0.mlp.W_in"].shape[1], n_ctx=weights["pos_embed.W_pos"].shape[0], d_vocab=d_vocab,
    )


def processed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """ln1 and ln2 folded, what writes to the stream centred, value biases folded: what both TransformerLenses do, for a peer that does not.

    ln_final stays as it is, since GPT-2 has no b_U to fold its bias into; logits differ by one number for each position.
    """
    w = dict(weights)
    for layer in range(dims(weights).n_layers):
        at = f"blocks.{layer}."
        scale, shift = w[f"{at}ln1.w"], w[f"{at}ln1.b"]
        for name in "QKV":
            w[f"{at}attn.b_{name}"] = w[f"{at}attn.b_{name}"] + torch.einsum("d,hdk->hk", shift, w[f"{at}attn.W_{name}"])
            w[f"{at}attn.W_{name}"] = scale[:, None] * w[f"{at}attn.W_{name}"]
        w[f"{at}mlp.b_in"] = w[f"{at}mlp.b_in"] + w[f"{at}ln2.b"] @ w[f"{at}mlp.W_in"]
        w[f"{at}mlp.W_in"] = w[f"{at}ln2.w"][:, None] * w[f"{at}mlp.W_in"]
        for norm in ("ln1", "ln2"):
            w[f"{at}{norm}.w"], w[f"{at}{norm}.b"] = torch.ones_like(scale), torch.zeros_like(scale)
        w[f"{at}attn.b_O"] = w[f"{at}attn.b_O"] + torch.einsum("hk,hkd->d", w[f"{at}attn.b_V"], w[f"{at}attn.W_O"])
        w[f"{at}attn.b_V"] = torch.zeros_like(w[f"{at}attn.b_V"])
        for name in ("attn.W_O", "attn.b_O", "mlp.W_out", "mlp.b_out"):
            w[at + name] = w[at + name] - w[at + name].mean(-1, keepdim=True)
    for name in ("embed.W_E", "pos_embed.W_pos"):
        w[name] = w[name] - w[name].mean(-1, keepdim=True)
    return w


def gpt2(weights: dict[str, torch.Tensor], attention: str):
    """As GPT2LMHeadModel. attention: "eager" or "sdpa"."""
    from transformers import GPT2Config, GPT2LMHeadModel

    d = dims(weights)
    if d.n_heads * d.d_head != d.d_model or weights["unembed.b_U"].abs().max() > 0:
        raise SystemExit("GPT-2 has heads of d_model / n_heads dimensions and no bias after its unembedding; these weights do not fit it")
    config = GPT2Config(
        vocab_size=d.d_vocab, n_positions=d.n_ctx, n_embd=d.d_model, n_layer=d.n_layers, n_head=d.n_heads, n_inner=d.d_mlp,
        activation_function="gelu", layer_norm_epsilon=d.eps, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, tie_word_embeddings=False,
        attn_implementation=attention, use_cache=False, bos_token_id=0, eos_token_id=0,
    )
    model = GPT2LMHeadModel(config)
    state = {"transformer.wte.weight": weights["embed.W_E"], "transformer.wpe.weight": weights["pos_embed.W_pos"],
             "lm_head.weight": weights["unembed.W_U"].T}
    for layer in range(d.n_layers):
        at, to = f"blocks.{layer}.", f"transformer.h.{layer}."
        state[f"{to}attn.c_attn.weight"] = torch.cat([weights[f"{at}attn.W_{x}"].permute(1, 0, 2).flatten(1) for x in "QKV"], 1)
        state[f"{to}attn.c_attn.bias"] = torch.cat([weights[f"{at}attn.b_{x}"].flatten() for x in "QKV"])
        state[f"{to}attn.c_proj.weight"] = weights[f"{at}attn.W_O"].flatten(0, 1)
        state[f"{to}attn.c_proj.bias"] = weights[f"{at}attn.b_O"]
        for name, part in (("c_fc", "in"), ("c_proj", "out")):
            state[f"{to}mlp.{name}.weight"], state[f"{to}mlp.{name}.bias"] = weights[f"{at}mlp.W_{part}"], weights[f"{at}mlp.b_{part}"]
        for norm in "12":
            state[f"{to}ln_{norm}.weight"], state[f"{to}ln_{norm}.bias"] = weights[f"{at}ln{norm}.w"], weights[f"{at}ln{norm}.b"]
    state["transformer.ln_f.weight"], state["transformer.ln_f.bias"] = weights["ln_final.w"], weights["ln_final.b"]
    model.load_state_dict(state, strict=True)
    return model.eval()
