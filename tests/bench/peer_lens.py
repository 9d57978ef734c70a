"""TransformerLens as peers of the bench: HookedTransformer (3.x) and TransformerBridge (4.x, of a GPT-2, in compatibility mode).

`run` is what peer_tasks.py needs of a peer: the values of hook points in one forward pass without logits, perhaps with one of two edits.
"""

import tempfile

import torch

from peer_weights import dims, gpt2


class HookedTransformerPeer:
    packages = ("transformer-lens",)

    def __init__(self, weights: dict[str, torch.Tensor]):
        self.d = dims(weights)
        self.model = self.load(weights)
        self.W_O = self.model.W_O  # [layer, head, d_head, d_model]

    def load(self, weights):
        from transformer_lens import HookedTransformer, HookedTransformerConfig

        model = HookedTransformer(HookedTransformerConfig(**vars(self.d), act_fn="gelu", normalization_type="LN", device="cpu", dtype=torch.float32))
        model.load_and_process_state_dict(weights)
        return model.eval()

    def residual(self, tokens) -> None:
        self.model(tokens, return_type=None)

    def forward(self, tokens) -> None:
        self.model(tokens)

    def cache(self, tokens) -> None:
        self.model.set_use_attn_result(True)
        self.model.run_with_cache(tokens)
        self.model.set_use_attn_result(False)

    def v_patch(self, layer: int, writer, scale) -> list:
        """The writer [batch, pos, d_model] out of the V input of every head of a layer, LayerNorm scale frozen; the input is split there."""
        self.model.set_use_split_qkv_input(True)
        return [(f"blocks.{layer}.hook_v_input", lambda v, hook: v - writer[:, :, None]),
                (f"blocks.{layer}.ln1.hook_scale", lambda s, hook: scale[:, :, None].expand_as(s))]

    def unpatch(self) -> None:
        self.model.set_use_split_qkv_input(False)

    def passes(self, tokens, names, start, resid):
        """A pass from layer `start` on, where the stream that enters it is known."""
        if start > 0:
            return self.model.run_with_cache(resid, start_at_layer=start, names_filter=lambda name: name in names, return_type=None)[1]
        return self.model.run_with_cache(tokens, names_filter=lambda name: name in names, return_type=None)[1]

    def run(self, tokens, names: set[str], without=None, patch=None, start: int = 0, resid=None):
        """without: (layer, delta), taken out of its hook_attn_out. patch: (layer, writer, scale), see v_patch."""
        hooks = []
        if without:
            layer, delta = without
            hooks = [(f"blocks.{layer}.hook_attn_out", lambda a, hook: a - delta)]
        if patch:
            hooks = self.v_patch(*patch)
        with self.model.hooks(fwd_hooks=hooks):
            found = self.passes(tokens, names, start, resid)
        if patch:
            self.unpatch()
        return found


class BridgePeer(HookedTransformerPeer):
    def load(self, weights):
        from transformer_lens.model_bridge import TransformerBridge

        model = gpt2(weights, "eager")
        with tempfile.TemporaryDirectory(prefix="cleanup-lens-bridge-") as folder:
            model.config.save_pretrained(folder)
            bridge = TransformerBridge.boot_transformers(folder, hf_model=model, tokenizer=no_text(folder), device="cpu", dtype=torch.float32)
        bridge.enable_compatibility_mode(disable_warnings=True)
        return bridge

    def residual(self, tokens) -> None:
        self.model(tokens, return_type=None, logits_to_keep=1)

    def v_patch(self, layer: int, writer, scale) -> list:
        """After the norm, with no split: under split inputs a hook on the scale is not heeded."""
        return [(f"blocks.{layer}.attn.v.hook_in", lambda v, hook: v - writer / scale),
                (f"blocks.{layer}.ln1.hook_scale", lambda s, hook: scale)]

    def unpatch(self) -> None:
        pass

    def passes(self, tokens, names, start, resid):
        """From the tokens whatever `start` is: the bridge runs the layers before it anyway. One position's logits, the fewest it computes."""
        return self.model.run_with_cache(tokens, names_filter=lambda name: name in names, return_type=None, logits_to_keep=1)[1]


def no_text(folder: str):
    """The bridge wants a tokenizer, from a folder; nothing here is text."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"0": 0}, unk_token="0"))
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="0", eos_token="0", pad_token="0").save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)
