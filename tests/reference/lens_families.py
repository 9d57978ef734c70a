"""Adds what TransformerLens 3.9 computes to reference.safetensors of some folders that more_families.py wrote: run it after that, by hand.

More hook points than `transformers` shows, in float64 rounded to float32. Not taken: what means something else there. GPT-J's q and k
are in another order of dims; OLMo 3's hook_attn_out and hook_mlp_out are before the norms of what a branch writes; ALiBi's scores differ
by what softmax does not see. TransformerLens 3.9 has no biases in Qwen3 and Gemma, and its own slopes for heads that are no power of 2: those
folders are left as they are.

Run with transformer-lens 3.9.0 beside transformers 5.24.0: python tests/reference/lens_families.py
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
import transformers
import transformer_lens.pretrained.weight_conversions as conversions
from safetensors.torch import load_file, save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.loading_from_pretrained import get_pretrained_model_config

FOLDER = Path(__file__).parent / "families"
INSIDE = ("hook_q", "hook_k", "hook_v", "hook_rot_q", "hook_rot_k", "hook_z", "hook_pre", "hook_post", "hook_scale")
ADDED = ("hook_embed", "hook_pos_embed", "hook_attn_out", "hook_mlp_out", "hook_resid_mid")
#          folder       conversion of the weights       hook points that are not taken
MODELS = [("qwen3", "convert_qwen3_weights", ()), ("opt", "convert_opt_weights", ()), ("phi3", "convert_phi3_weights", ()),
          ("bloom", "convert_bloom_weights", ()), ("gptj-full", "convert_gptj_weights", ("hook_q", "hook_k", "hook_rot_q", "hook_rot_k")),
          ("olmo3", "convert_olmo3_weights", ("hook_attn_out", "hook_mlp_out")),
          ("gemma2", "convert_gemma_weights", ())]


def gemma2(config) -> HookedTransformerConfig:
    """TransformerLens knows Gemma 2 by its names on the hub alone: its settings, by hand."""
    return HookedTransformerConfig(
        d_model=config.hidden_size, d_head=config.head_dim, n_heads=config.num_attention_heads, d_mlp=config.intermediate_size,
        n_key_value_heads=config.num_key_value_heads, n_layers=config.num_hidden_layers, n_ctx=config.max_position_embeddings,
        eps=config.rms_norm_eps, d_vocab=config.vocab_size, act_fn="gelu_pytorch_tanh", normalization_type="RMS",
        positional_embedding_type="rotary", rotary_dim=config.head_dim, rotary_base=10000, use_attn_scale=True,
        attn_scale=config.query_pre_attn_scalar ** 0.5, gated_mlp=True, final_rms=True, use_normalization_before_and_after=True,
        use_local_attn=True, window_size=config.sliding_window, attn_types=["local" if "sliding" in t else "global" for t in config.layer_types],
        attn_scores_soft_cap=config.attn_logit_softcapping or -1, output_logits_soft_cap=config.final_logit_softcapping or -1,
        original_architecture="Gemma2ForCausalLM", dtype=torch.float64, device="cpu",
    )


def rename(key: str, family: str) -> str:
    """The norms after a branch are called ln1 and ln2 in TransformerLens' OLMo 3; here they have the names of Gemma 2's."""
    return key.replace(".ln1.", ".ln1_post.").replace(".ln2.", ".ln2_post.") if family == "olmo3" else key


def settings(folder: Path, model) -> HookedTransformerConfig:
    if model.config.model_type == "gemma2":
        return gemma2(model.config)
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as neutral:  # a folder named after a family would be taken for a hub name
        shutil.copy(folder / "config.json", neutral)
        config = get_pretrained_model_config(neutral, fold_ln=False, device="cpu", dtype=torch.float64)
    config.tokenizer_name = None
    return config


def record(name: str, conversion: str, leave: tuple[str, ...]) -> None:
    folder = FOLDER / name
    model_class = getattr(transformers, json.loads((folder / "reference.json").read_text())["modelClass"])
    model = model_class.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval().double()
    config = settings(folder, model)
    lens = HookedTransformer(config, move_to_device=False)
    lens.load_and_process_state_dict(getattr(conversions, conversion)(model, config), fold_ln=False, center_writing_weights=False,
                                     center_unembed=False, fold_value_biases=False)
    reference = load_file(folder / "reference.safetensors")
    logits, cache = lens.to(torch.float64).eval().run_with_cache(reference["tokens"].long())
    off = max(float((cache[key[6:]] - x).abs().max() / x.abs().max()) for key, x in reference.items()
              if key.startswith("hooks/") and key[6:] in cache and (".hook_resid" in key or "pattern" in key))
    off = max(off, float((logits - reference["logits"]).abs().max() / reference["logits"].abs().max()))
    assert off < 1e-5, f"{name}: TransformerLens and transformers differ by {off}"
    shapes = {"hook_scale": 3}
    for key, value in cache.items():
        last = key.rsplit(".", 1)[-1]
        wanted = last in INSIDE + ADDED and last not in leave and "q_norm" not in key and "k_norm" not in key
        if wanted and (last != "hook_scale" or value.dim() == shapes[last]):
            reference[f"hooks/{rename(key, model.config.model_type)}"] = value.float().contiguous()
    save_file(reference, folder / "reference.safetensors")
    about = json.loads((folder / "reference.json").read_text())
    about["transformerLens"] = {"version": "3.9.0", "largest difference from transformers, of a value's scale": float(f"{off:.1g}")}
    (folder / "reference.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    print(f"{name:18s} {sum(key.startswith('hooks/') for key in reference)} hook points, off by {off:.1g}")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for model in MODELS:
        record(*model)
