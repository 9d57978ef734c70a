"""By hand: what `transformers` computes with a model folder, written to FOLDER/logits.safetensors for compare_model.ts.

python tests/reference/compare_model.py FOLDER   (float64 forward pass, 3 prompts of 64 random tokens)
"""

import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

folder = sys.argv[1]
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval().double()
tokens = torch.randint(0, model.config.vocab_size, (3, 64), generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    output = model(tokens, output_hidden_states=True)
layer = model.config.num_hidden_layers - 1
save_file({"tokens": tokens.to(torch.int32), "logits": output.logits.float(),
           f"blocks.{layer}.hook_resid_pre": output.hidden_states[layer].float().contiguous()}, f"{folder}/logits.safetensors")
