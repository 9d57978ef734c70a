"""Writes tests/reference/families/<name>/ for the families that `transformers` 5.24 has and families.py does not record.

Each folder holds config.json and weights as the real `transformers` library saves them (older layouts of config.json where `old_config`
says so), and reference.safetensors: what `transformers` computes with these very files, in float64, rounded to float32.

    tokens                              [batch, pos]
    logits                              [batch, pos, d_vocab]; not of base models
    hooks/blocks.N.hook_resid_pre       [batch, pos, d_model], what each layer reads, and hook_resid_post of the last
    hooks/blocks.N.attn.hook_pattern    [batch, head, query, key]

Run with transformers 5.24.0 and torch 2.15.0: python tests/reference/more_families.py [name …]
"""

import json
import shutil
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).parent / "families"
BATCH, LENGTH, VOCABULARY, CONTEXT = 2, 8, 40, 32
TOKENS = dict(vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=0, pad_token_id=None)
LLAMA = dict(**TOKENS, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=24,
             max_position_embeddings=CONTEXT)
GPT = dict(**TOKENS, n_embd=16, n_layer=2, n_head=4, n_positions=CONTEXT, n_inner=24)
YARN = dict(rope_type="yarn", rope_theta=100.0, factor=4.0, original_max_position_embeddings=16)
LONG = dict(rope_type="longrope", rope_theta=100.0, short_factor=[1.0, 1.5], long_factor=[2.0, 4.0])


@dataclass
class Family:
    name: str
    model_class: str
    config: dict
    covers: str
    old_config: dict = field(default_factory=dict)  # keys of config.json in the hub's older layout; None removes one
    text_config: str | None = None  # the config class of the text part of a multimodal model
    rename: dict = field(default_factory=dict)  # prefixes of tensor names in older files
    eager: bool = True  # False: no attention patterns. transformers 5.24 adds ALiBi twice in Falcon's eager attention, once in sdpa
    dtype: torch.dtype = torch.float32  # of the weights in the file
    head: bool = False  # the file holds an output head of its own beside tied embeddings


FAMILIES = [
    Family("llama-dynamic", "LlamaForCausalLM",
           dict(LLAMA, rope_parameters=dict(rope_type="dynamic", rope_theta=100.0, factor=2.0)),
           "rope type dynamic: the base is unchanged up to max_position_embeddings; older layout",
           old_config={"rope_parameters": None, "rope_theta": 100.0, "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    Family("llama-yarn", "LlamaForCausalLM", dict(LLAMA, head_dim=16, max_position_embeddings=64, rope_parameters=YARN),
           "rope type yarn, with the factor of cos and sin that follows from `factor`"),
    Family("qwen2-yarn", "Qwen2ForCausalLM",
           dict(LLAMA, hidden_size=32, max_position_embeddings=64, tie_word_embeddings=True,
                rope_parameters=dict(YARN, beta_fast=8.0, beta_slow=2.0, mscale=0.7, mscale_all_dim=0.9, truncate=False)),
           "rope type yarn with mscale, beta and truncate"),
    Family("llama-bfloat16", "LlamaForCausalLM", dict(LLAMA, tie_word_embeddings=True),
           "bfloat16 in the file, as most models are published; tied", dtype=torch.bfloat16),
    Family("neox-float16", "GPTNeoXForCausalLM",
           dict(TOKENS, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24, max_position_embeddings=CONTEXT,
                rotary_pct=0.5),
           "float16 in the file, as Pythia is published", dtype=torch.float16),
    Family("llama-base", "LlamaModel", dict(LLAMA), "a base model: no output head in the file"),
    Family("llama-tied-base", "LlamaModel", dict(LLAMA, tie_word_embeddings=True), "a base model whose embeddings are tied"),
    Family("neox-base", "GPTNeoXModel", dict(**TOKENS, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                                             max_position_embeddings=CONTEXT), "a base model of GPT-NeoX"),
    Family("llama-own-head", "LlamaForCausalLM", dict(LLAMA, tie_word_embeddings=True),
           "config.json says tied, the file holds another lm_head.weight: the file's is right", head=True),
    Family("gpt2-own-head", "GPT2LMHeadModel", dict(GPT), "the same in GPT-2, where config.json says nothing", head=True,
           old_config={"tie_word_embeddings": None}),
    Family("qwen3", "Qwen3ForCausalLM", dict(LLAMA, head_dim=8, tie_word_embeddings=True), "norms of q and k; heads wider than d_model / n_heads"),
    Family("qwen3-window", "Qwen3ForCausalLM",
           dict(LLAMA, head_dim=4, attention_bias=True, use_sliding_window=True, sliding_window=3, max_window_layers=1,
                tie_word_embeddings=False), "biases on q, k, v and o; layer 1 sees the last 3 positions; untied"),
    Family("gemma", "GemmaForCausalLM", dict(LLAMA, head_dim=8, num_key_value_heads=1, tie_word_embeddings=True),
           "norm weights + 1, embedding times √d_model, tied; one key-value head"),
    Family("gemma-old", "GemmaForCausalLM", dict(LLAMA, head_dim=4, num_key_value_heads=4, hidden_act="gelu", attention_bias=True),
           "hidden_act gelu means the tanh form; biases; older layout",
           old_config={"rope_parameters": None, "rope_theta": 10000.0, "dtype": None}),
    Family("gemma2", "Gemma2ForCausalLM",
           dict(LLAMA, num_hidden_layers=3, head_dim=8, query_pre_attn_scalar=16, sliding_window=3, attn_logit_softcapping=2.0,
                final_logit_softcapping=3.0),
           "norms after attention and MLP; soft caps of scores and logits; layers 0 and 2 see the last 3 positions"),
    Family("gemma2-uncapped", "Gemma2ForCausalLM",
           dict(LLAMA, head_dim=4, num_key_value_heads=4, query_pre_attn_scalar=4, attn_logit_softcapping=None, final_logit_softcapping=None,
                attention_bias=True), "no caps, no grouped heads, biases; older layout without layer_types", old_config={"layer_types": None}),
    Family("gemma3", "Gemma3ForCausalLM",
           dict(LLAMA, num_hidden_layers=3, head_dim=8, query_pre_attn_scalar=16, sliding_window=3,
                layer_types=["sliding_attention", "sliding_attention", "full_attention"],
                rope_parameters={"full_attention": dict(rope_type="linear", factor=8.0, rope_theta=1000.0),
                                 "sliding_attention": dict(rope_type="default", rope_theta=100.0)}),
           "norms of q and k; two rotations, by kind of layer"),
    Family("gemma3-old", "Gemma3ForCausalLM",
           dict(LLAMA, num_hidden_layers=3, head_dim=4, num_key_value_heads=1, query_pre_attn_scalar=4, sliding_window=3,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"], final_logit_softcapping=2.0,
                rope_parameters={"full_attention": dict(rope_type="default", rope_theta=1000.0),
                                 "sliding_attention": dict(rope_type="default", rope_theta=100.0)}),
           "older layout: sliding_window_pattern, rope_local_base_freq, no layer_types",
           old_config={"rope_parameters": None, "layer_types": None, "rope_theta": 1000.0, "rope_local_base_freq": 100.0,
                       "sliding_window_pattern": 2, "_sliding_window_pattern": None}),
    Family("gemma3-multimodal", "Gemma3ForConditionalGeneration",
           dict(LLAMA, head_dim=8, query_pre_attn_scalar=16, sliding_window=3, layer_types=["sliding_attention", "full_attention"]),
           "text part of a multimodal file, with the names of 2025: model.language_model.", text_config="Gemma3TextConfig",
           rename={"language_model.model.": "model.language_model.", "vision_tower.": "model.vision_tower.",
                   "multi_modal_projector.": "model.multi_modal_projector."}),
    Family("gemma3-multimodal-saved", "Gemma3ForConditionalGeneration",
           dict(LLAMA, head_dim=8, query_pre_attn_scalar=16, sliding_window=3, layer_types=["full_attention", "sliding_attention"]),
           "the same with the names that transformers 5 saves: language_model.model.; vision tensors beside it",
           text_config="Gemma3TextConfig"),
    Family("olmo2", "Olmo2ForCausalLM", dict(LLAMA, tie_word_embeddings=False), "norms after attention and MLP alone; norms over all of q and k"),
    Family("olmo2-biases", "Olmo2ForCausalLM", dict(LLAMA, num_key_value_heads=4, attention_bias=True, tie_word_embeddings=True),
           "no grouped heads; biases; tied"),
    Family("olmo3", "Olmo3ForCausalLM",
           dict(LLAMA, num_hidden_layers=3, sliding_window=3, max_position_embeddings=64, num_key_value_heads=4,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"], rope_parameters=YARN),
           "yarn on full layers alone; windows"),
    Family("olmo3-grouped", "Olmo3ForCausalLM", dict(LLAMA, num_hidden_layers=2, sliding_window=3, hidden_size=32, tie_word_embeddings=True),
           "grouped heads; tied; all rotations alike; older layout without layer_types",
           old_config={"layer_types": None, "rope_parameters": None, "rope_theta": 500000.0}),
    Family("granite", "GraniteForCausalLM",
           dict(LLAMA, embedding_multiplier=3.0, residual_multiplier=0.4, logits_scaling=2.5, attention_multiplier=0.3),
           "four multipliers"),
    Family("granite-biases", "GraniteForCausalLM",
           dict(LLAMA, num_key_value_heads=4, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, embedding_multiplier=12.0,
                residual_multiplier=0.22, logits_scaling=0.5, attention_multiplier=1.5), "biases, tied"),
    Family("opt", "OPTForCausalLM",
           dict(**TOKENS, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, ffn_dim=24, max_position_embeddings=CONTEXT,
                word_embed_proj_dim=16), "positions from row 2 on; relu; tied"),
    Family("opt-unbiased", "OPTForCausalLM",
           dict(**TOKENS, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=24, max_position_embeddings=CONTEXT,
                word_embed_proj_dim=16, enable_bias=False, layer_norm_elementwise_affine=False, tie_word_embeddings=False,
                activation_function="gelu"), "no biases, no weights of norms, untied, names without model."),
    Family("phi", "PhiForCausalLM", dict(LLAMA, hidden_size=32, num_key_value_heads=4, partial_rotary_factor=0.5),
           "one norm for attention and MLP in parallel; biases everywhere, also of the unembedding; half of each head turned"),
    Family("phi-grouped", "PhiForCausalLM", dict(LLAMA, hidden_size=32, partial_rotary_factor=0.25, tie_word_embeddings=True),
           "grouped heads; tied, with a bias of the unembedding; older layout",
           old_config={"rope_parameters": None, "rope_theta": 10000.0, "partial_rotary_factor": 0.25}),
    Family("phi3", "Phi3ForCausalLM", dict(LLAMA, sliding_window=3, tie_word_embeddings=False),
           "q, k and v in one matrix, gate and up in another; window in all layers"),
    Family("phi3-longrope", "Phi3ForCausalLM",
           dict(LLAMA, hidden_size=32, num_attention_heads=4, partial_rotary_factor=0.5, max_position_embeddings=64,
                original_max_position_embeddings=16, tie_word_embeddings=True, rope_parameters=dict(LONG, partial_rotary_factor=0.5, original_max_position_embeddings=16)),
           "rope type longrope on half of each head; older layout",
           old_config={"rope_parameters": None, "rope_theta": 100.0, "partial_rotary_factor": 0.5,
                       "rope_scaling": {"type": "longrope", "short_factor": LONG["short_factor"], "long_factor": LONG["long_factor"]}}),
    Family("smollm3", "SmolLM3ForCausalLM", dict(LLAMA, num_hidden_layers=3, no_rope_layers=[1, 0, 1], tie_word_embeddings=True),
           "layer 1 is not turned; tied"),
    Family("smollm3-window", "SmolLM3ForCausalLM",
           dict(LLAMA, num_hidden_layers=4, use_sliding_window=True, sliding_window=3, attention_bias=True, mlp_bias=True,
                tie_word_embeddings=False), "no_rope_layers by interval (every fourth); windows in turned layers; biases",
           old_config={"no_rope_layers": None, "no_rope_layer_interval": 4}),
    Family("stablelm", "StableLmForCausalLM", dict(LLAMA, hidden_size=32, partial_rotary_factor=0.25), "LayerNorm; a quarter of each head turned"),
    Family("stablelm-parallel", "StableLmForCausalLM",
           dict(LLAMA, hidden_size=32, num_key_value_heads=4, use_qkv_bias=True, use_parallel_residual=True, partial_rotary_factor=0.5,
                tie_word_embeddings=True), "one norm for both in parallel; biases on q, k, v; tied"),
    Family("starcoder2", "Starcoder2ForCausalLM", dict(LLAMA, sliding_window=3, tie_word_embeddings=True), "LayerNorm, biases, an MLP without a gate; window; tied"),
    Family("starcoder2-unbiased", "Starcoder2ForCausalLM", dict(LLAMA, use_bias=False, tie_word_embeddings=False, sliding_window=None), "no biases, untied"),
    Family("gptj", "GPTJForCausalLM", dict(GPT, n_embd=32, rotary_dim=4), "neighbouring pairs turned; one norm for both; bias of the unembedding"),
    Family("gptj-full", "GPTJForCausalLM", dict(GPT, rotary_dim=4, n_inner=None, tie_word_embeddings=True), "whole heads turned; tied"),
    Family("codegen", "CodeGenForCausalLM", dict(GPT, n_embd=32, n_head=4, rotary_dim=4), "q, v and k in four blocks of heads"),
    Family("codegen-heads", "CodeGenForCausalLM", dict(GPT, n_embd=32, n_head=8, rotary_dim=2), "two heads in each block"),
    Family("bloom", "BloomForCausalLM", dict(**TOKENS, hidden_size=16, n_layer=2, n_head=4), "ALiBi; the embedding normalised; tied"),
    Family("bloom-heads", "BloomForCausalLM", dict(**TOKENS, hidden_size=12, n_layer=2, n_head=6, tie_word_embeddings=False),
           "slopes of 6 heads, not a power of 2; untied"),
    Family("falcon", "FalconForCausalLM", dict(**TOKENS, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, multi_query=True,
                                               parallel_attn=True, bias=False, alibi=False, new_decoder_architecture=False,
                                               ffn_hidden_size=24, max_position_embeddings=CONTEXT), "falcon-7b: one key-value head, one norm for both in parallel"),
    Family("falcon-new", "FalconForCausalLM", dict(**TOKENS, hidden_size=32, num_hidden_layers=2, num_attention_heads=8, num_kv_heads=2,
                                                   new_decoder_architecture=True, parallel_attn=True, bias=True, alibi=False,
                                                   ffn_hidden_size=24, max_position_embeddings=CONTEXT, tie_word_embeddings=False),
           "falcon-40b: grouped heads, two norms in parallel, biases; untied"),
    Family("falcon-rw", "FalconForCausalLM", dict(**TOKENS, hidden_size=24, num_hidden_layers=2, num_attention_heads=6, multi_query=False,
                                                  parallel_attn=False, bias=True, alibi=True, new_decoder_architecture=False,
                                                  ffn_hidden_size=24, max_position_embeddings=CONTEXT), "falcon-rw: ALiBi, biases, one after the other",
           eager=False),
    Family("gpt-bigcode", "GPTBigCodeForCausalLM", dict(GPT, multi_query=True), "one key-value head; matrices [out, in]"),
    Family("gpt-bigcode-heads", "GPTBigCodeForCausalLM", dict(GPT, multi_query=False, tie_word_embeddings=False, n_inner=None,
                                                              scale_attn_weights=True), "as many key-value heads as heads; untied"),
    Family("nemotron", "NemotronForCausalLM", dict(LLAMA, hidden_size=32, partial_rotary_factor=0.5, head_dim=8),
           "LayerNorm with weights + 1; relu²; half of each head turned"),
    Family("nemotron-biases", "NemotronForCausalLM",
           dict(LLAMA, num_key_value_heads=4, attention_bias=True, mlp_bias=True, partial_rotary_factor=1.0, head_dim=4, tie_word_embeddings=True,
                norm_eps=1e-3), "biases, tied"),
    Family("cohere", "CohereForCausalLM", dict(LLAMA, logit_scale=0.5), "LayerNorm without bias, one for both in parallel; neighbouring pairs; logits scaled; tied"),
    Family("cohere-biases", "CohereForCausalLM", dict(LLAMA, num_key_value_heads=4, attention_bias=True, tie_word_embeddings=False),
           "biases; the default logit_scale; untied", old_config={"logit_scale": None}),
    Family("olmo", "OlmoForCausalLM", dict(LLAMA, num_key_value_heads=4, tie_word_embeddings=False), "LayerNorm without weights"),
    Family("olmo-tied", "OlmoForCausalLM", dict(LLAMA, attention_bias=True, tie_word_embeddings=True), "grouped heads, biases, tied"),
]


def randomise(model, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() == 1:  # norms keep what they are around: 1, or 0 where the model adds 1
            p.data.copy_(p.data + 0.3 * noise)
        elif any(part in name for part in ("embed", "wte", "wpe")):
            p.data.copy_(0.7 * noise)
        else:
            p.data.copy_(noise * 1.2 / p.shape[-1] ** 0.5)


def build(family: Family):
    model_class = getattr(transformers, family.model_class)
    if not family.text_config:
        return model_class(model_class.config_class(**family.config))
    text = getattr(transformers, family.text_config)(**family.config)
    vision = transformers.SiglipVisionConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=8, patch_size=4)
    return model_class(model_class.config_class(text_config=text, vision_config=vision, mm_tokens_per_image=4, image_token_index=39))


def text_layers(model):
    """The list of decoder layers, whatever they are called."""
    found = [m for n, m in model.named_modules() if isinstance(m, torch.nn.ModuleList) and len(m) and "vision" not in n
             and n.split(".")[-1] in ("layers", "h", "blocks")]
    assert len(found) == 1, [type(m) for m in found]
    return found[0]


def record_one(family: Family, seed: int) -> None:
    torch.manual_seed(seed)
    model = build(family).eval()
    randomise(model, seed)
    folder = FOLDER / family.name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(family.dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if family.old_config:
        file = folder / "config.json"
        config = {**json.loads(file.read_text()), **family.old_config}
        config = {key: config[key] for key in sorted(config) if family.old_config.get(key, "") is not None}
        file.write_text(json.dumps(config, indent=2) + "\n")
    weights_file = folder / "model.safetensors"
    weights = load_file(weights_file)
    if family.head:
        d_model = model.config.hidden_size
        weights["lm_head.weight"] = torch.randn(VOCABULARY, d_model, generator=torch.Generator().manual_seed(7)) * 0.3
    for old, new in family.rename.items():
        weights = {new + name.removeprefix(old) if name.startswith(old) else name: w for name, w in weights.items()}
    save_file(weights, weights_file, metadata={"format": "pt"})

    # what a user of transformers gets from these very files
    tied_base = "tied" in family.name and family.name.endswith("base")  # a base model's file gives a tied model its head too
    reader = transformers.AutoModelForCausalLM if tied_base else type(model)
    loaded = reader.from_pretrained(folder, attn_implementation="eager" if family.eager else "sdpa", dtype=torch.float32).eval().double()
    tokens = torch.randint(0, VOCABULARY - 1, (BATCH, LENGTH), generator=torch.Generator().manual_seed(1000 + seed))
    streams = []
    handles = [layer.register_forward_hook(lambda _m, _a, out: streams.append(out[0] if isinstance(out, tuple) else out))
               for layer in text_layers(loaded)]
    with torch.no_grad():
        output = loaded(input_ids=tokens, output_attentions=family.eager, output_hidden_states=True, use_cache=False)
    [handle.remove() for handle in handles]
    base = not hasattr(output, "logits")
    tensors = {"tokens": tokens.to(torch.int32)}
    if not base:
        tensors["logits"] = output.logits.float()
    tensors["hooks/blocks.0.hook_resid_pre"] = output.hidden_states[0].float()
    for layer, stream in enumerate(streams):
        where = f"blocks.{layer + 1}.hook_resid_pre" if layer + 1 < len(streams) else f"blocks.{layer}.hook_resid_post"
        tensors[f"hooks/{where}"] = stream.float()
        if family.eager:
            tensors[f"hooks/blocks.{layer}.attn.hook_pattern"] = output.attentions[layer].float()
    assert all(torch.isfinite(t).all() for t in tensors.values())
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "reference.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    about = {
        "name": family.name, "modelClass": family.model_class, "covers": family.covers, "seed": seed,
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "agreement": "hooks are the hidden states of transformers, and its attention patterns where it gives them",
    }
    (folder / "reference.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    scale = "" if base else f"max logit {output.logits.abs().max():.3g}"
    print(f"{family.name:22s} {size / 1000:6.1f} kB  {scale}")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for family in FAMILIES:
        if len(sys.argv) == 1 or family.name in sys.argv[1:]:
            record_one(family, zlib.crc32(family.name.encode()) % 1000)
