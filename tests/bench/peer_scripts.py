"""Figures 1 to 3 as the authors' three scripts run them in TransformerLens 3: each caches for itself, with logits and all heads' outputs."""

import torch

from peer_lens import HookedTransformerPeer
from peer_tasks import WRITER_LAYER, Figures, ratio


class Scripts(Figures):
    def __init__(self, peer: HookedTransformerPeer, writer: int, cleaner_layer: int):
        super().__init__(peer, writer, cleaner_layer)
        self.model = peer.model
        self.results = [f"blocks.{i}.attn.hook_result" for i in range(peer.d.n_layers)]
        self.model.set_use_attn_result(True)

    def cached(self, tokens, names, hooks=()):
        with self.model.hooks(fwd_hooks=list(hooks)):
            return self.model.run_with_cache(tokens, names_filter=lambda name: name in names)[1]

    def figure3(self, cache, writer, run: str) -> None:
        self.add(f"3a {run}", ratio("lbpd,bpd->lbp", self.residuals(cache), writer))
        self.add(f"3b {run}", ratio("bphd,bpd->hbp", cache[self.results[self.layer]], writer))

    def run(self, tokens) -> None:
        written = self.results[WRITER_LAYER]
        cache = self.cached(tokens, {*self.locations, written})
        self.figure1(cache, cache[written])
        cache = self.cached(tokens, {*self.results, *self.mlps})
        writer = cache[written][:, :, self.writer]
        heads = [ratio("bphd,bpd->hbp", cache[name], writer) for name in self.results]
        self.add("2", torch.cat(heads + [ratio("bpd,bpd->bp", cache[name], writer)[None] for name in self.mlps]))
        self.model.set_use_split_qkv_input(True)
        clean = self.cached(tokens, {*self.locations, written, self.results[self.layer], self.scale})
        writer = clean[written][:, :, self.writer]
        self.figure3(clean, writer, "clean")
        hooks = [(f"blocks.{self.layer}.hook_v_input", lambda v, hook: v - writer[:, :, None]),
                 (self.scale, lambda s, hook: clean[self.scale])]
        patched = self.cached(tokens, {*self.locations, self.results[self.layer]}, hooks)
        self.model.set_use_split_qkv_input(False)
        self.figure3(patched, writer, "patched")
