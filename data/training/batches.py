"""Rows of token ids out of tokens.npz: BOS, then n_ctx − 1 tokens of one document.

A row never spans two documents, so BOS stands at position 0 alone, as in gelu-4l's prompts. (The first embedded model's rows were packed
with a BOS between documents.) Every epoch cuts each document at another random offset; what is left over at its ends is not used in
that epoch. Held-out rows are cut once, at offset 0.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

BOS = 0


class Corpus:
    def __init__(self, file: Path, n_ctx: int, device: torch.device | str = "cpu"):
        with np.load(file) as data:
            self.ids_cpu = data["ids"].astype(np.int32)
            start, held_out, self.code = data["start"], data["held_out"], data["code"]
        self.body = n_ctx - 1
        self.ids = torch.from_numpy(self.ids_cpu).to(device)
        self.spans = [(a, b) for a, b, h in zip(start, start[1:], held_out) if not h and b - a >= self.body]
        self.held_out = [(a, b, c) for a, b, h, c in zip(start, start[1:], held_out, self.code) if h and b - a >= self.body]

    def epoch(self, seed: int) -> np.ndarray:
        """Where each row of one epoch begins in ids, in random order."""
        random = np.random.default_rng(seed)
        rows = []
        for a, b in self.spans:
            offset = random.integers(0, min(self.body, b - a - self.body + 1))
            rows.append(np.arange(a + offset, b - self.body + 1, self.body))
        return random.permutation(np.concatenate(rows))

    def rows(self, starts: np.ndarray) -> torch.Tensor:
        """[row, n_ctx] token ids on the device."""
        at = torch.from_numpy(starts).to(self.ids.device)[:, None] + torch.arange(self.body, device=self.ids.device)
        body = self.ids[at].long()
        return torch.cat([torch.full_like(body[:, :1], BOS), body], 1)

    def held_out_rows(self, prose: int = 240, code: int = 60, seed: int = 0, others: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids [prose + code, n_ctx] in random order, and which of them are code [prose + code]. 240 and 60 as in the post.

        others: as many that are not among those, to judge a model on prompts by which it was not chosen.
        """
        random = np.random.default_rng(seed)
        starts, is_code = [], []
        for wanted, kind in ((prose, False), (code, True)):
            found = np.concatenate([np.arange(a, b - self.body + 1, self.body) for a, b, c in self.held_out if c == kind])
            if len(found) < wanted:
                raise SystemExit(f"held-out {'code' if kind else 'prose'}: expected {wanted} full prompts, got {len(found)}; hold out more")
            chosen = random.choice(found, wanted, replace=False)
            if others:
                left = np.setdiff1d(found, chosen)
                chosen = np.random.default_rng(seed + 1).choice(left, min(wanted, len(left)), replace=False)
            starts.append(chosen)
            is_code += [kind] * len(chosen)
        order = random.permutation(len(is_code))
        return self.rows(np.concatenate(starts)[order]), torch.tensor(is_code)[torch.from_numpy(order)]


def save_prompts(file: Path, rows: torch.Tensor, is_code: torch.Tensor) -> None:
    """tokens uint16 [prompt, pos], is_code uint8 [prompt]; the counts stand in the metadata as well."""
    partial = file.with_name(file.name + ".partial")
    counts = {"n_text": str(int((~is_code).sum())), "n_code": str(int(is_code.sum()))}
    save_file({"tokens": rows.cpu().to(torch.uint16), "is_code": is_code.to(torch.uint8)}, partial, metadata=counts)
    partial.chmod(0o644)
    partial.replace(file)
