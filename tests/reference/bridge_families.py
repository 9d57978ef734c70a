"""Adds what TransformerLens 4.3's TransformerBridge computes to reference.safetensors of folders that more_families.py wrote, for families
that TransformerLens 3 does not know: run it after that, by hand. In compatibility mode, without processing of weights, float32.

`leave`: hook points that are not taken since they mean something else there, or are not there.

Run with transformer-lens 4.3.0 beside transformers 5.24.0: python tests/reference/bridge_families.py
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformer_lens.model_bridge import TransformerBridge

FOLDER = Path(__file__).parent / "families"
WANTED = ("hook_embed", "hook_attn_out", "hook_mlp_out", "hook_resid_mid", "hook_q", "hook_k", "hook_v", "hook_rot_q", "hook_rot_k",
          "hook_z", "hook_pre", "hook_pre_linear", "hook_post", "hook_scale")
MODELS: dict[str, tuple[str, ...]] = {name: () for name in (
    "gemma", "gemma3", "granite", "phi", "smollm3", "olmo2", "stablelm", "starcoder2", "falcon", "gpt-bigcode", "nemotron", "cohere")}
MODELS["cohere"] = ("attn.hook_q", "attn.hook_k", "attn.hook_rot")  # neighbouring pairs: their dims stand in another order here

def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """The bridge wants one, from a folder; nothing here is text."""
    words = Tokenizer(WordLevel({str(i): i for i in range(40)}, unk_token="0"))
    folder = tempfile.mkdtemp(prefix="tokenizer-")
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, bos_token="0", eos_token="0", pad_token="0").save_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def record(name: str, leave: tuple[str, ...]) -> None:
    folder = FOLDER / name
    about = json.loads((folder / "reference.json").read_text())
    model_class = getattr(transformers, about["modelClass"])
    model = model_class.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    bridge = TransformerBridge.boot_transformers(str(folder), hf_model=model, tokenizer=tokenizer(), device="cpu",
                                                 dtype=torch.float32)
    bridge.enable_compatibility_mode(disable_warnings=True, no_processing=True)
    reference = load_file(folder / "reference.safetensors")
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(reference["tokens"].long())
    off = float((logits - reference["logits"]).abs().max() / reference["logits"].abs().max())
    assert off < 1e-5, f"{name}: TransformerBridge and transformers differ by {off}"
    taken = 0
    for key, value in cache.items():
        last = key.rsplit(".", 1)[-1]
        norm_of_heads = "q_norm" in key or "k_norm" in key  # their dims stand in another order
        if last in WANTED and not any(part in key for part in leave) and not norm_of_heads:
            reference[f"hooks/{key}"] = value.float().contiguous().clone()
            taken += 1
    save_file(reference, folder / "reference.safetensors")
    about["transformerLens"] = {"version": "4.3.0, TransformerBridge", "largest difference from transformers, of a value's scale": float(f"{off:.1g}")}
    (folder / "reference.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    print(f"{name:18s} {taken} hook points, off by {off:.1g}")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in sys.argv[1:] or MODELS:
        record(name, MODELS[name])
