"""Loads the embedded model and its prompts into TransformerLens.

Everything below `tests/reference` that is Python is run by hand, where Python and TransformerLens can be installed
(requirements.txt). The project neither needs nor runs it: the numbers that it records are committed.
"""

import hashlib
import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
MODEL_FOLDER = ROOT / "data/models/tiny-gelu-4l"
PROMPTS_FILE = ROOT / "data/prompts/held-out.safetensors"


def load_model(folder: Path = MODEL_FOLDER, dtype=torch.float64, processed: bool = True):
    """A TransformerLens-layout folder as a HookedTransformer (TransformerLens 3) on the CPU.

    processed: the five switches of TransformerLens at their defaults (fold_ln, center_writing_weights, center_unembed,
    fold_value_biases on, refactor_factored_attn_matrices off), or all five off. TransformerLens processes weights in float32
    whatever the dtype; with float64 only the forward pass is in float64.
    """
    from transformer_lens import HookedTransformer, HookedTransformerConfig  # not in TransformerLens 4

    config = json.loads((folder / "config.json").read_text())
    model = HookedTransformer(
        HookedTransformerConfig(
            n_layers=config["n_layers"],
            d_model=config["d_model"],
            n_ctx=config["n_ctx"],
            d_head=config["d_head"],
            n_heads=config["n_heads"],
            d_mlp=config["d_mlp"],
            d_vocab=config["d_vocab"],
            act_fn=config["act_fn"],
            normalization_type=config["normalization"],
            eps=config["eps"],
            positional_embedding_type="standard",
            attention_dir="causal",
            device="cpu",
            dtype=dtype,
        )
    )
    weights = {name: w.to(dtype) for name, w in load_file(folder / "model.safetensors").items()}
    model.load_and_process_state_dict(
        weights,
        fold_ln=processed,
        center_writing_weights=processed,
        center_unembed=processed,
        fold_value_biases=processed,
        refactor_factored_attn_matrices=False,
    )
    model.set_use_attn_result(True)
    return model.eval()


def load_bridge(folder: Path = MODEL_FOLDER, dtype=torch.float32):
    """The same folder in TransformerLens 4, by the way that its `boot_tl_legacy` takes for gelu-4l itself; weights processed."""
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge import TransformerBridge
    from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

    config = json.loads((folder / "config.json").read_text())
    known = ("n_layers", "d_model", "n_ctx", "d_head", "n_heads", "d_mlp", "d_vocab", "act_fn", "attn_only", "eps")
    bridge_config = TransformerBridgeConfig(
        **{name: config[name] for name in known},
        normalization_type=config["normalization"],
        positional_embedding_type="standard",
        architecture="TransformerLensNative",
    )
    model = TransformerBridge.boot_native(bridge_config, device="cpu", dtype=dtype)
    weights = {name: w.to(dtype) for name, w in load_file(folder / "model.safetensors").items()}
    model.load_state_dict(convert_tl_checkpoint(weights, bridge_config), strict=True)
    model.enable_compatibility_mode(disable_warnings=True)
    return model.eval()


def load_prompts(file: Path = PROMPTS_FILE) -> torch.Tensor:
    """Token ids [prompt, pos]."""
    return load_file(file)["tokens"].to(torch.int64)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def save_safetensors(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Writes beside the file and renames, so that a failure leaves no half-written one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    save_file({name: x.clone(memory_format=torch.contiguous_format) for name, x in tensors.items()}, partial)
    partial.chmod(0o644)
    partial.replace(file)


def versions() -> dict[str, str]:
    packages = ["transformer-lens", "torch", "transformers", "numpy", "safetensors"]
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


@dataclass
class Cleanup:
    """What data/models/<name>/cleanup.json says: which node writes, which heads erase, which layers are patched."""

    writer: str
    cleaners: list[str]
    patched_layers: list[int]

    @staticmethod
    def read(folder: Path = MODEL_FOLDER) -> "Cleanup":
        content = json.loads((folder / "cleanup.json").read_text())
        return Cleanup(content["writer"], content["cleaners"], content["patchedLayers"])


def layer_of(name: str) -> int:
    """"L2H5" → 2, "MLP2" → 2."""
    return int(name[3:]) if name.startswith("MLP") else head(name)[0]


def head(name: str) -> tuple[int, int]:
    """"L0H5" → (0, 5)."""
    layer, index = name[1:].split("H")
    return int(layer), int(index)
