"""PyTorch's part of `deno task bench:devices`: eight bare products, and a forward pass without logits, on the card that PyTorch finds
(else the processor), with random weights of the shape that standard input names as JSON. Prints a JSON list.

float32: as this project computes. TF32 and bfloat16: what most people run, at fewer bits. A number of each row comes back, as there.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F

shape = json.load(sys.stdin)
D, H, K = shape["d_model"], shape["n_heads"], shape["d_head"]
KV, MLP, L = shape.get("n_key_value_heads") or H, shape["d_mlp"], shape["n_layers"]
rms, gated, rotary = shape["normalization"].startswith("RMS"), shape.get("gated_mlp", False), "rotary_base" in shape
cuda = torch.cuda.is_available()
mps = torch.backends.mps.is_available()
device = torch.device("cuda" if cuda else "mps" if mps else "cpu")
card = torch.cuda.get_device_name() if cuda else device.type


def synchronize():
    if cuda:
        torch.cuda.synchronize()
    elif mps:
        torch.mps.synchronize()


def weights(dtype):
    make = lambda *dims: (torch.rand(*dims, device=device) * 0.07 - 0.035).to(dtype)  # noqa: E731
    layers = []
    for _ in range(L):
        layer = {"q": make(H * K, D), "k": make(KV * K, D), "v": make(KV * K, D), "o": make(D, H * K), "in": make(MLP, D), "out": make(D, MLP)}
        if gated:
            layer["gate"] = make(MLP, D)
        layers.append(layer)
    return {"embed": make(shape["d_vocab"], D), "pos": make(shape["length"], D), "layers": layers}


def turned(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def forward(w, tokens):
    """tokens [batch, pos] → a number of each row of the stream after the last layer."""
    B, T = tokens.shape
    norm = (lambda x: F.rms_norm(x, (D,))) if rms else (lambda x: F.layer_norm(x, (D,)))
    x = w["embed"][tokens]
    if rotary:
        frequencies = shape["rotary_base"] ** -(torch.arange(0, K, 2, device=device) / K)
        angles = torch.outer(torch.arange(T, device=device), frequencies).repeat(1, 2)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    else:
        x = x + w["pos"][:T]
    for layer in w["layers"]:
        read = norm(x)
        q, k, v = (F.linear(read, layer[n]).view(B, T, -1, K).transpose(1, 2) for n in "qkv")
        if rotary:
            q, k = turned(q, cos, sin), turned(k, cos, sin)
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=KV != H)
        x = x + F.linear(z.transpose(1, 2).reshape(B, T, -1), layer["o"])
        read = norm(x)
        hidden = F.linear(read, layer["in"])
        hidden = F.silu(F.linear(read, layer["gate"])) * hidden if gated else F.gelu(hidden)
        x = x + F.linear(hidden, layer["out"])
    return x[..., 0].cpu()


def products(x, W):
    for _ in range(shape["products"]):
        x = x @ W
    return x[:, 0].cpu()


def timed(work):
    """Seconds of each round after the first, until they are `seconds` in all; or why there are none."""
    found = []
    try:
        for turn in range(-1, shape["rounds"]):
            began = time.perf_counter()
            work()
            synchronize()
            if turn >= 0:
                found.append(time.perf_counter() - began)
            if sum(found) >= shape["seconds"]:
                break
    except RuntimeError as error:  # out of memory
        return {"seconds": [], "failed": str(error)}
    return {"seconds": found}


@torch.inference_mode()
def main():
    results = []
    for precision in ("float32", "TF32", "bfloat16") if cuda else ("float32",):
        torch.set_float32_matmul_precision("high" if precision == "TF32" else "highest")
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        n = shape["square"]
        W = ((torch.rand(n, n, device=device) * 2 - 1) * (3 / n) ** 0.5).to(dtype)  # products stay as large
        model = weights(dtype)
        same = {"card": card, "precision": precision}
        results.append({**same, "task": "product", "tokens": 0, **timed(lambda: products(W, W))})  # noqa: B023
        for batch in shape["batches"]:
            count = -(-shape["prompts"] // batch) * batch
            tokens = torch.randint(shape["d_vocab"], (count, shape["length"]))
            passes = lambda: [forward(model, part.to(device)) for part in tokens.split(batch)]  # noqa: B023, E731
            results.append({**same, "task": "forward", "batch": batch, "tokens": tokens.numel(), **timed(passes)})
    print(json.dumps(results))


main()
