"""Muon: momentum whose update is made orthogonal, for the weight matrices of the blocks (Jordan et al., 2024).

m ← 0.95 m + g;  u = orthogonal(g + 0.95 m);  W ← (1 − lr·decay) W − lr u

orthogonal() sets all singular values near 1 with five Newton–Schulz steps. In equilibrium the decay bounds the singular values of W
by about 1 / decay: that is the handle by which attention and MLPs are kept at comparable norms. Matrices of one shape (or its
transpose) are done together, since the model is so small that the number of operations counts. W_QKV [3, d_model, heads·d_head] is three.
"""

import torch


def orthogonal(x: torch.Tensor) -> torch.Tensor:
    """[matrix, m, n] with m ≤ n → the same with singular values near 1."""
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x


class Muon:
    def __init__(self, groups: list[tuple[list[torch.nn.Parameter], float]], momentum: float = 0.95):
        """groups: parameters with their weight decay."""
        self.momentum = momentum
        self.parameters = [(p, decay) for parameters, decay in groups for p in parameters]
        self.buffers = [torch.zeros_like(p) for p, _ in self.parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        batches: dict[tuple[int, int], list] = {}
        for index, ((p, _), m) in enumerate(zip(self.parameters, self.buffers)):
            m.mul_(self.momentum).add_(p.grad)
            u = p.grad + self.momentum * m
            u = u.unsqueeze(0) if u.dim() == 2 else u
            turned = u.shape[-2] > u.shape[-1]
            u = u.mT if turned else u
            batches.setdefault(tuple(u.shape[-2:]), []).append((index, turned, u))
        for batch in batches.values():
            sizes = [len(u) for _, _, u in batch]
            done = orthogonal(torch.cat([u for _, _, u in batch])).split(sizes)
            for (index, turned, _), u in zip(batch, done):
                p, decay = self.parameters[index]
                p.mul_(1 - lr * decay).add_((u.mT if turned else u).view(p.shape) if p.dim() == 3 else (u.mT if turned else u)[0], alpha=-lr)
