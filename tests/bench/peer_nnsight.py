"""nnsight as a peer of the bench: the same GPT-2, its weights processed in plain PyTorch first, since nnsight takes models as they are.

Attention is PyTorch's fused one (sdpa) where no pattern is asked for. Names are those of TransformerLens, as in peer_lens.py.
"""

import nnsight
import torch

from peer_weights import dims, gpt2, processed


class NNsightPeer:
    packages = ("nnsight", "transformers")

    def __init__(self, weights: dict[str, torch.Tensor]):
        self.d = dims(weights)
        weights = processed(weights)
        self.W_O = torch.stack([weights[f"blocks.{layer}.attn.W_O"] for layer in range(self.d.n_layers)])
        self.gpt2 = gpt2(weights, "sdpa")
        self.model, self.body = nnsight.NNsight(self.gpt2), nnsight.NNsight(self.gpt2.transformer)

    def residual(self, tokens) -> None:
        with self.body.trace(tokens):
            pass

    def forward(self, tokens) -> None:
        with self.model.trace(tokens):
            logits = self.model.output.logits.save()

    def cache(self, tokens) -> None:
        """Inputs and outputs of every module, patterns among them, and every head's output; scores before the softmax are none of them."""
        self.gpt2.config._attn_implementation = "eager"
        with self.model.trace(tokens) as tracer:
            cache = tracer.cache(include_inputs=True)
            results = nnsight.save([])
            for layer, block in enumerate(self.model.transformer.h):
                results.append(torch.einsum("bphk,hkd->bphd", self.heads(block.attn.c_proj.input), self.W_O[layer]))
            logits = self.model.output.logits.save()
        self.gpt2.config._attn_implementation = "sdpa"

    def heads(self, z):
        return z.unflatten(-1, (self.d.n_heads, self.d.d_head))

    def run(self, tokens, names: set[str], without=None, patch=None, start: int = 0, resid=None):
        """without: (layer, delta), taken out of what its attention adds. patch: (layer, writer, scale), out of the values, scale frozen."""
        d_model, eps = self.d.d_model, self.d.eps
        with self.body.trace(tokens):
            found = nnsight.save({})
            for layer, block in enumerate(self.body.h):
                at = f"blocks.{layer}."
                if layer < start:
                    block.skip(resid)
                    continue
                if f"{at}hook_resid_pre" in names:
                    found[f"{at}hook_resid_pre"] = block.input
                if f"{at}ln1.hook_scale" in names:
                    found[f"{at}ln1.hook_scale"] = (block.input.var(-1, keepdim=True, correction=0) + eps).sqrt()
                if patch and patch[0] == layer:
                    _, writer, scale = patch  # the layer's input is the clean run's, so its scale is too
                    block.attn.c_attn.output[..., 2 * d_model:] -= (writer / scale) @ self.gpt2.transformer.h[layer].attn.c_attn.weight[:, 2 * d_model:]
                if f"{at}attn.hook_z" in names:
                    found[f"{at}attn.hook_z"] = self.heads(block.attn.c_proj.input)
                if without and without[0] == layer:
                    block.attn.c_proj.output = block.attn.c_proj.output - without[1]
                if f"{at}hook_resid_mid" in names:
                    found[f"{at}hook_resid_mid"] = block.ln_2.input
                if f"{at}hook_mlp_out" in names:
                    found[f"{at}hook_mlp_out"] = block.mlp.output
                if f"{at}hook_resid_post" in names:
                    found[f"{at}hook_resid_post"] = block.output
        return found
