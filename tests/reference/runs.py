"""The clean and the patched run, and what the figures measure in them, with TransformerLens alone.

A, B: activations [batch, pos, …, d_model]. PR(a, b) = a·b / ‖b‖² for each batch and position.
"""

from dataclasses import dataclass

import torch
from transformer_lens import ActivationCache, HookedTransformer

from tiny_model import head


def locations(n_layers: int) -> list[str]:
    """resid_pre0, resid_mid0, resid_post0, resid_mid1 … in the order of the forward pass."""
    return ["resid_pre0"] + [f"resid_{part}{layer}" for layer in range(n_layers) for part in ("mid", "post")]


def location_hook(location: str) -> str:
    return f"blocks.{location[-1]}.hook_{location[:-1]}"


def node_names(model: HookedTransformer) -> list[str]:
    heads_and_mlps = [
        name
        for layer in range(model.cfg.n_layers)
        for name in [*(f"L{layer}H{h}" for h in range(model.cfg.n_heads)), f"MLP{layer}"]
    ]
    return ["embed", "pos_embed", *heads_and_mlps]


def node_output(cache: ActivationCache, node: str) -> torch.Tensor:
    """[batch, pos, d_model]. A head: its hook_result, without b_O."""
    if node in ("embed", "pos_embed"):
        return cache[f"hook_{node}"]
    if node.startswith("MLP"):
        return cache[f"blocks.{node[3:]}.hook_mlp_out"]
    layer, index = head(node)
    return cache[f"blocks.{layer}.attn.hook_result"][:, :, index]


NEEDED = ("hook_embed", "hook_pos_embed", "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_mlp_out", "hook_result",
          "hook_pattern", "ln1.hook_scale", "ln_final.hook_scale")


@dataclass
class Run:
    logits: torch.Tensor
    cache: ActivationCache


def clean_run(model: HookedTransformer, tokens: torch.Tensor) -> Run:
    model.set_use_split_qkv_input(False)
    return Run(*model.run_with_cache(tokens, names_filter=lambda name: name.endswith(NEEDED)))


def patched_run(model: HookedTransformer, tokens: torch.Tensor, clean: Run, writer: str, layers: list[int]) -> Run:
    """blocks.l.hook_v_input of every head minus the writer's clean output, with blocks.l.ln1.hook_scale frozen to the clean run.

    With use_split_qkv_input TransformerLens calls ln1 three times (for Q, K and V); the scale is frozen in all three. In the
    first patched layer this changes nothing for Q and K; in a later one Q and K read the patched run's residual stream.
    """
    w = node_output(clean.cache, writer)
    hooks = []
    for layer in layers:
        scale = clean.cache[f"blocks.{layer}.ln1.hook_scale"]  # [batch, pos, 1]
        hooks.append((f"blocks.{layer}.hook_v_input", lambda v, hook: v - w[:, :, None, :]))
        hooks.append((f"blocks.{layer}.ln1.hook_scale", lambda s, hook, scale=scale: scale[:, :, None, :].expand_as(s)))
    model.set_use_split_qkv_input(True)
    with model.hooks(fwd_hooks=hooks):
        wanted = lambda name: name.endswith((*NEEDED, "hook_v_input"))
        run = Run(*model.run_with_cache(tokens, names_filter=wanted))
    model.set_use_split_qkv_input(False)
    return run


def projection_ratio(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(-1) / (b * b).sum(-1)


def v_composition(model: HookedTransformer, clean: Run, writer: str, cleaner: str, attention: bool = True) -> torch.Tensor:
    """v_h(i) = Σ_j A[i, j] · ((w_j − mean(w_j)) / σ_j) · W_V · W_O; without attention: A is the identity."""
    layer, index = head(cleaner)
    w = node_output(clean.cache, writer)
    w = (w - w.mean(-1, keepdim=True)) / clean.cache[f"blocks.{layer}.ln1.hook_scale"]
    value = w @ model.W_V[layer, index]
    if attention:
        value = clean.cache[f"blocks.{layer}.attn.hook_pattern"][:, index] @ value
    return value @ model.W_O[layer, index]


def direct_logit_attribution(model: HookedTransformer, clean: Run, output: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """((c − mean(c)) / s) · direction, s: the clean run's ln_final.hook_scale. direction: [batch, pos, d_model]; b_U is left out."""
    centred = output - output.mean(-1, keepdim=True)
    return (centred / clean.cache["ln_final.hook_scale"] * direction).sum(-1)


def top2_direction(model: HookedTransformer, clean: Run) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [batch, pos, 2] of the two highest logits, and W_U[:, t1] − W_U[:, t2] as [batch, pos, d_model]."""
    top = clean.logits.topk(2, -1).indices
    return top, model.W_U.T[top[..., 0]] - model.W_U.T[top[..., 1]]
