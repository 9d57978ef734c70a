"""Causal attention by attention.cpp, where a C++ compiler and heads of 16 numbers allow it: three times as fast as PyTorch's own on a CPU core."""

from functools import cache
from pathlib import Path

import torch
from torch.utils.cpp_extension import load


@cache
def kernel():
    """Compiled once and kept by PyTorch (half a minute the first time; needs g++ and ninja)."""
    source = Path(__file__).with_name("attention.cpp")
    return load("cleanup_lens_attention", [str(source)], extra_cflags=["-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"])


class CausalAttention(torch.autograd.Function):
    """qkv [batch, pos, 3, head, 16] → z [batch, pos, head, 16], float32, scores scaled by 1/√16."""

    @staticmethod
    def forward(ctx, qkv: torch.Tensor) -> torch.Tensor:
        whole = qkv.float().contiguous()
        z, lse = kernel().forward(whole)
        ctx.save_for_backward(whole, z, lse)
        ctx.dtype = qkv.dtype
        return z

    @staticmethod
    def backward(ctx, d_z: torch.Tensor) -> torch.Tensor:
        return kernel().backward(*ctx.saved_tensors, d_z.float().contiguous()).to(ctx.dtype)
