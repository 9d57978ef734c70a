"""Writes tests/reference/families/<name>/: tiny random checkpoints in the layouts of the Hugging Face hub, with activations.

Each folder holds config.json and the weights as the real `transformers` library saves them (or as older files on the hub
have them: `hub layout` below), and reference.safetensors: tokens, logits of `transformers`, and hooks of TransformerLens
running the same model, both in float64 and rounded to float32 (`lens=False`: hidden states of `transformers` alone). reference.json says how far the two libraries agree. Weights
are random with a spread that gives sharp attention and LayerNorms that are far from the identity.

    tokens                     [batch, pos]
    logits                     [batch, pos, d_vocab], of `transformers`
    hooks/<name>               TransformerLens names, weights unprocessed; hook_k and hook_v have the key-value heads of grouped-query models
    processed/<name>           the same after TransformerLens' default weight processing
"""

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from transformer_lens import HookedTransformer
from transformer_lens.loading_from_pretrained import get_pretrained_model_config
from transformer_lens.pretrained.weight_conversions import (convert_gpt2_weights, convert_llama_weights, convert_mistral_weights,
                                                            convert_neo_weights, convert_neox_weights, convert_qwen2_weights)

from tiny_model import ROOT, save_safetensors, versions

FOLDER = ROOT / "tests/reference/families"
BATCH, LENGTH = 2, 9
VOCABULARY = 97
HOOKS = ("hook_embed", "hook_pos_embed", "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_mlp_out",
         "hook_q", "hook_k", "hook_v", "hook_z", "hook_pattern", "ln1.hook_scale", "ln2.hook_scale", "ln_final.hook_scale")
PROCESSED_HOOKS = ("hook_resid_post", "hook_z", "ln_final.hook_scale")

GPT2 = dict(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=32, n_ctx=32, bos_token_id=0, eos_token_id=0)
NEOX = dict(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, intermediate_size=96, max_position_embeddings=32,
            bos_token_id=0, eos_token_id=0)
LLAMA = dict(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=64, max_position_embeddings=32, bos_token_id=0, eos_token_id=0)


@dataclass
class Family:
    name: str
    model_class: str
    config: dict
    covers: str
    storage: str = "safetensors"  # or "sharded", "pytorch"
    old_config: dict = field(default_factory=dict)  # keys of config.json in the hub's older layout; None removes one
    bare_keys: bool = False  # GPT-2 on the hub: no "transformer." before the names
    buffers: bool = False  # older files carry the causal mask and the rotary frequencies as tensors
    lens: bool = True  # False: TransformerLens does not cover it; the hooks are then the hidden states of `transformers`


FAMILIES = [
    Family("gpt2", "GPT2LMHeadModel", GPT2, "Conv1D weights [in, out]; q, k, v in one matrix; learned positions; tied; gelu_new"),
    Family("gpt2-hub", "GPT2LMHeadModel", GPT2,
           "hub layout of the first GPT-2 files: names without `transformer.`, attn.bias masks, pytorch_model.bin",
           storage="pytorch", bare_keys=True, buffers=True),
    Family("pythia", "GPTNeoXForCausalLM", dict(**NEOX, num_attention_heads=2, rotary_pct=0.25),
           "q, k, v interleaved by head; attention and MLP in parallel; rotary on the first quarter of each head (4 of 16); untied"),
    Family("neox-sequential", "GPTNeoXForCausalLM", dict(**NEOX, num_attention_heads=4, rotary_pct=0.5, use_parallel_residual=False),
           "use_parallel_residual false; hub layout: rotary_pct and rotary_emb_base in config.json, mask and rotary buffers in the file",
           old_config={"rope_parameters": None, "rotary_pct": 0.5, "rotary_emb_base": 10000, "dtype": None, "torch_dtype": "float32"},
           buffers=True),
    Family("gpt-neo", "GPTNeoForCausalLM",
           dict(vocab_size=VOCABULARY, hidden_size=32, num_layers=2, num_heads=4, max_position_embeddings=32, window_size=4,
                attention_types=[[["global", "local"], 1]], bos_token_id=0, eos_token_id=0),
           f"layer 1 attends to the last 4 of {LENGTH} positions; no attention scale; no q, k, v biases; tied"),
    Family("llama", "LlamaForCausalLM", dict(**LLAMA, rope_theta=500000.0, tie_word_embeddings=False),
           "RMSNorm, rotary, 2 key-value heads for 4 heads, gated MLP, untied; sharded in two with an index", storage="sharded"),
    Family("smollm", "LlamaForCausalLM", dict(**LLAMA, tie_word_embeddings=True),
           "Llama with tied embeddings (no lm_head in the file); hub layout: rope_theta at the top of config.json",
           old_config={"rope_parameters": None, "rope_theta": 10000.0, "rope_scaling": None, "head_dim": None, "dtype": None,
                       "torch_dtype": "float32"}),
    Family("mistral", "MistralForCausalLM", dict(**LLAMA, sliding_window=4, tie_word_embeddings=False),
           f"sliding window: each position sees the last 4 of {LENGTH}"),
    Family("qwen2", "Qwen2ForCausalLM", dict(**LLAMA, tie_word_embeddings=True),
           "biases on q, k and v alone; tied; grouped-query"),
    Family("llama-biases", "LlamaForCausalLM",
           dict(**LLAMA, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=False,
                rope_parameters=dict(rope_type="llama3", rope_theta=100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                     original_max_position_embeddings=40)),
           "biases everywhere; heads wider than d_model / n_heads; rope scaling llama3, with frequencies of all three kinds", lens=False),
    Family("llama-linear", "LlamaForCausalLM",
           dict(**{**LLAMA, "num_key_value_heads": 1}, hidden_act="gelu_pytorch_tanh", tie_word_embeddings=False,
                rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)),
           "rope scaling linear, in the older layout; one key-value head for all; gated by the tanh GELU", lens=False,
           old_config={"rope_parameters": None, "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0}}),
    Family("qwen2-window", "Qwen2ForCausalLM",
           dict(**LLAMA, tie_word_embeddings=False, use_sliding_window=True, sliding_window=4, max_window_layers=1),
           "layer 1 alone sees the last 4 positions; hub layout: no layer_types", lens=False, old_config={"layer_types": None}),
    Family("gpt2-scaled", "GPT2LMHeadModel",
           dict(**GPT2, n_inner=40, activation_function="gelu", scale_attn_by_inverse_layer_idx=True, tie_word_embeddings=False),
           "scores of layer l divided by l + 1 as well; n_inner; exact GELU; untied", lens=False),
]


def randomise(model, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        is_norm = any(part.startswith(("ln_", "norm")) or "layernorm" in part or part == "final_layer_norm" for part in name.split("."))
        if name.endswith("bias"):
            p.copy_(0.3 * noise)
        elif is_norm:
            p.copy_(1 + 0.3 * noise)
        elif any(part in name for part in ("wte", "embed_in", "embed_tokens", "wpe")):
            p.copy_(0.7 * noise)
        else:
            p.copy_(noise * 1.2 / p.shape[-1] ** 0.5)


def legacy_buffers(family: Family, config) -> dict[str, torch.Tensor]:
    """The tensors that older versions of transformers saved and newer ones ignore: a loader must ignore them as well."""
    mask = torch.ones(32, 32, dtype=torch.bool).tril().view(1, 1, 32, 32)
    if family.model_class == "GPT2LMHeadModel":
        return {f"transformer.h.{layer}.attn.bias": mask for layer in range(2)}
    dim = int(config.hidden_size / config.num_attention_heads * family.config["rotary_pct"])
    frequencies = 1 / 10000 ** (torch.arange(0, dim, 2) / dim)
    found = {}
    for layer in range(2):
        prefix = f"gpt_neox.layers.{layer}.attention"
        found |= {f"{prefix}.bias": mask, f"{prefix}.masked_bias": torch.tensor(-1e9), f"{prefix}.rotary_emb.inv_freq": frequencies}
    return found


def save(family: Family, model, folder: Path) -> None:
    shard = "70KB" if family.storage == "sharded" else "10MB"
    model.save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if family.old_config:
        file = folder / "config.json"
        config = {**json.loads(file.read_text()), **family.old_config}
        config = {key: config[key] for key in sorted(config) if family.old_config.get(key, "") is not None}
        file.write_text(json.dumps(config, indent=2) + "\n")
    if family.storage == "pytorch" or family.buffers:
        file = folder / "model.safetensors"
        weights = load_file(file)
        weights |= legacy_buffers(family, model.config) if family.buffers else {}
        if family.bare_keys:
            weights = {name.removeprefix("transformer."): w for name, w in weights.items()}
        if family.storage == "pytorch":
            torch.save(weights, folder / "pytorch_model.bin")
            file.unlink()
        else:
            save_safetensors(file, weights)


CONVERTERS = {
    "GPT2LMHeadModel": convert_gpt2_weights, "GPTNeoXForCausalLM": convert_neox_weights, "GPTNeoForCausalLM": convert_neo_weights,
    "LlamaForCausalLM": convert_llama_weights, "MistralForCausalLM": convert_mistral_weights, "Qwen2ForCausalLM": convert_qwen2_weights,
}


def lens(family: Family, folder: Path, model, processed: bool) -> HookedTransformer:
    """TransformerLens' own reading of config.json and its own conversion of the weights, without asking the hub for a name."""
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as neutral:  # a folder named after a family would be taken for a hub name
        shutil.copy(folder / "config.json", neutral)
        config = get_pretrained_model_config(neutral, fold_ln=processed, device="cpu", dtype=torch.float64)
    config.tokenizer_name = None
    hooked = HookedTransformer(config, move_to_device=False)
    hooked.load_and_process_state_dict(
        CONVERTERS[family.model_class](model, config),
        fold_ln=processed, center_writing_weights=processed, center_unembed=processed, fold_value_biases=processed,
    )
    return hooked.to(torch.float64).eval()


def record_one(family: Family, seed: int) -> None:
    torch.manual_seed(seed)
    model_class = getattr(transformers, family.model_class)
    original = model_class(model_class.config_class(**family.config)).eval()
    randomise(original, seed)
    folder = FOLDER / family.name
    shutil.rmtree(folder, ignore_errors=True)
    save(family, original, folder)

    # what a user of transformers gets from these very files
    loaded = model_class.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval().double()
    tokens = torch.randint(0, VOCABULARY, (BATCH, LENGTH), generator=torch.Generator().manual_seed(1000 + seed))
    output = loaded(tokens, output_hidden_states=True)
    logits = output.logits
    saved_unchanged = float((original.double()(tokens).logits - logits).abs().max())

    tensors = {"tokens": tokens.to(torch.int32), "logits": logits.float()}
    agreement = {}
    if not family.lens:
        tensors |= {f"hooks/blocks.{layer}.hook_resid_pre": output.hidden_states[layer].float() for layer in range(2)}
    for kind in ("plain", "processed") if family.lens else ():
        hooked = lens(family, folder, loaded, processed=kind == "processed")
        lens_logits, cache = hooked.run_with_cache(tokens)
        wanted, prefix = (HOOKS, "hooks/") if kind == "plain" else (PROCESSED_HOOKS, "processed/")
        tensors |= {f"{prefix}{name}": x.float() for name, x in cache.items() if name.endswith(wanted)}
        difference = lens_logits.log_softmax(-1) - logits.log_softmax(-1) if kind == "processed" else lens_logits - logits
        agreement[kind] = float(f"{difference.abs().max():.2g}")
    save_safetensors(folder / "reference.safetensors", tensors)
    size = sum(f.stat().st_size for f in folder.iterdir())
    about = {
        "name": family.name, "modelClass": family.model_class, "covers": family.covers, "seed": seed, "versions": versions(),
        "agreement": {"what": "max |TransformerLens − transformers| in float64: logits (plain), log-probabilities (processed)", **agreement}
        if family.lens else "hooks are the hidden states of transformers",
        "maxLogit": float(f"{logits.abs().max():.3g}"),
    }
    (folder / "reference.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    print(f"{family.name:16s} {size / 1000:6.1f} kB  reloaded {saved_unchanged:.1e}  TransformerLens {agreement}  max logit {about['maxLogit']}")


def record() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for seed, family in enumerate(FAMILIES):
        record_one(family, seed)
