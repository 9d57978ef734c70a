"""Writes tests/checkpoints/data/gguf/: blocks of every kind of quantisation, and tiny random models, by gguf-py.

    python tests/reference/record.py gguf_files        (pip install gguf torch transformers)

blocks.gguf, blocks.safetensors    a tensor of each kind (random bytes; scales that are finite), and gguf-py's dequantisation of it
<architecture>-<kind>.gguf         a tiny random model as llama.cpp's convert_hf_to_gguf.py writes it
<architecture>-<kind>.safetensors  tokens, and logits of `transformers` that loaded that very file (from_pretrained(gguf_file=…))
"""

from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

FOLDER = Path(__file__).parents[1] / "checkpoints/data/gguf"
KINDS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
VOCABULARY = 64
LLAMA = dict(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=64, max_position_embeddings=32, rope_theta=500.0)


def blocks() -> None:
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(FOLDER / "blocks.gguf", "blocks")
    expected = {}
    for name in KINDS:
        kind = getattr(gguf.GGMLQuantizationType, name)
        weights, size = gguf.GGML_QUANT_SIZES[kind]
        rows = rng.integers(0, 256, (3, 2 * size), dtype=np.uint8)
        for block in range(2):  # the 16-bit scales: any finite number
            at = block * size + {"Q6_K": 208}.get(name, 0)
            for k in range(2 if name in ("Q4_1", "Q5_1", "Q4_K", "Q5_K") else 1):
                rows[:, at + 2 * k:at + 2 * k + 2] = rng.normal(0, 0.1, (3, 1)).astype(np.float16).view(np.uint8)
        writer.add_tensor(name, rows, raw_dtype=kind)
        expected[name] = dequantize(rows, kind).astype(np.float32)
    for name, kind in (("F16", np.float16), ("F32", np.float32)):
        expected[name] = rng.normal(0, 1, (2, 3)).astype(kind).astype(np.float32)
        writer.add_tensor(name, expected[name].astype(kind))
    write(writer)
    save_file(expected, FOLDER / "blocks.safetensors")


def write(writer) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """LlamaModel.permute of convert_hf_to_gguf.py."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def add(writer, name: str, weights: np.ndarray, kind: str) -> None:
    quantised = kind not in ("F32", "F16") and weights.ndim == 2 and weights.shape[1] % 32 == 0
    dtype = getattr(gguf.GGMLQuantizationType, kind if weights.ndim == 2 else "F32")
    if quantised:
        writer.add_tensor(name, quantize(weights, dtype), raw_dtype=dtype)
    else:
        writer.add_tensor(name, weights.astype(np.float16 if kind == "F16" and weights.ndim == 2 else np.float32))


def model(architecture: str, kind: str, seed: int) -> None:
    torch.manual_seed(seed)
    if architecture == "gpt2":
        config = transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=32)
        original = transformers.GPT2LMHeadModel(config)
    else:
        classes = {"llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
                   "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM)}[architecture]
        original = classes[1](classes[0](**LLAMA, tie_word_embeddings=architecture == "qwen2"))
    with torch.no_grad():
        for name, p in original.named_parameters():
            p.copy_(1 + 0.2 * torch.randn_like(p) if p.ndim == 1 and "weight" in name else 0.2 * torch.randn_like(p))
    path = FOLDER / f"{architecture}-{kind}.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(2), writer.add_context_length(32), writer.add_embedding_length(32), writer.add_head_count(4)
    writer.add_feed_forward_length(128 if architecture == "gpt2" else 64)
    if architecture == "gpt2":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_head_count_kv(2), writer.add_layer_norm_rms_eps(1e-6), writer.add_rope_freq_base(500.0)
        writer.add_rope_dimension_count(8), writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("gpt2"), writer.add_tokenizer_pre("gpt-2")
    letters = ["<|endoftext|>"] + [chr(c) for c in range(ord("!"), ord("!") + VOCABULARY - 2)] + ["%&"]
    writer.add_token_list(letters), writer.add_token_types([3] + [1] * (VOCABULARY - 1)), writer.add_token_merges(["% &"])
    writer.add_bos_token_id(0), writer.add_eos_token_id(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], 2)
    for name, weights in original.state_dict().items():
        if name == "lm_head.weight" and config_tied(original):
            if architecture != "gpt2":
                continue
        weights = weights.numpy().astype(np.float32)
        if architecture == "llama" and ".q_proj." in name:
            weights = permuted(weights, 4)
        if architecture == "llama" and ".k_proj." in name:
            weights = permuted(weights, 2)
        if architecture == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            weights = weights.T.copy()
        add(writer, names.get_name(name, try_suffixes=(".weight", ".bias")), weights, kind)
    write(writer)
    # transformers reads a GPT-2 GGUF's context length as "n_ctx", and so needs to be told its "n_positions".
    more = {"config": original.config} if architecture == "gpt2" else {}
    loaded = type(original).from_pretrained(FOLDER, gguf_file=path.name, dtype=torch.float32, **more).eval().double()
    tokens = torch.randint(0, VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        logits = loaded(tokens).logits
    save_file({"tokens": tokens.to(torch.int32).numpy(), "logits": logits.float().numpy()}, FOLDER / f"{architecture}-{kind}.safetensors")
    print(path.name, path.stat().st_size, float(logits.abs().max()))


def config_tied(model) -> bool:
    return bool(model.config.tie_word_embeddings)


def record() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    blocks()
    for seed, (architecture, kind) in enumerate([("llama", "Q8_0"), ("llama", "F16"), ("qwen2", "Q4_1"), ("gpt2", "Q4_0")]):
        model(architecture, kind, seed)
