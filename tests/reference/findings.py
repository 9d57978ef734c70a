"""Some numbers of data/expected/findings-smollm2-135m.json once more, from the definitions of `reuse` and `role` alone, on the `transformers` model.

    python tests/reference/findings.py out/smollm2 out/texts-b-tokens.json --writer L17H8

Prints the number of directions, the share of the end of the stream that stands in the writer's directions, the same without what it wrote, the KL of
the predictions when what stands there is exchanged for its mean, the increase of the loss without the writer, and with what was erased of it put
back at the very end (which is where `reuse` puts it if the last cleaner is in the last layer). The tokens are a list of 128 for each prompt.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("model", type=Path)
parser.add_argument("tokens", type=Path)
parser.add_argument("--writer", default="L17H8")
parser.add_argument("--length", type=int, default=128)
args = parser.parse_args()

torch.set_grad_enabled(False)
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager").eval()
tokens = torch.tensor(json.loads(args.tokens.read_text())).view(-1, args.length)
size = model.config.hidden_size // model.config.num_attention_heads
is_head = args.writer.startswith("L")
layer = int(args.writer[3:] if not is_head else args.writer[1:].split("H")[0])
block = model.model.layers[layer]
module = block.self_attn.o_proj if is_head else block.mlp

written = {"remove": False}


def added(m, inputs, out):
    """What the writer adds, [batch, pos, d_model]; taken out at positions 1 and later where that is asked for."""
    w = out
    if is_head:
        head = slice(int(args.writer.split("H")[1]) * size, (int(args.writer.split("H")[1]) + 1) * size)
        w = inputs[0][..., head] @ m.weight[:, head].T
    written["w"] = w
    if not written["remove"]:
        return out
    clean = written["clean"].clone()
    clean[:, 0] = 0
    return out - clean


module.register_forward_hook(added)
model.model.norm.register_forward_pre_hook(lambda m, inputs: written.update(end=inputs[0]))


def run(rows, remove=False):
    """Logits, the end of the stream, and what the writer adds."""
    written["remove"] = remove
    logits = model(rows).logits
    return logits, written["end"], written["w"]


def losses(logits, rows):
    """Of the next token, at positions 1 to the last but one."""
    logs = logits[:, 1:-1].double().log_softmax(-1)
    return -logs.gather(-1, rows[:, 2:, None])[..., 0]


w, ends, others, lost, put_back = [], [], [], [], []
for rows in tokens.split(4):
    logits, end, own = run(rows)
    written["clean"] = own
    without, other, _ = run(rows, remove=True)
    w.append(own[:, 1:]), ends.append(end), others.append(other[:, 1:])
    lost.append(losses(without, rows) - losses(logits, rows))
    retained = ((end - other) * own).sum(-1, keepdim=True) / own.pow(2).sum(-1, keepdim=True)
    missing = own * (1 - retained)
    missing[:, 0] = 0
    put_back.append(losses(model.lm_head(model.model.norm(end + missing)), rows) - losses(logits, rows))
w, ends, others = torch.cat(w), torch.cat(ends), torch.cat(others)
values, vectors = torch.linalg.eigh((w.flatten(0, 1).double().T @ w.flatten(0, 1).double()))
energy = values.flip(0).cumsum(0) / values.sum()
k = int((energy < 0.9).sum()) + 1
S = vectors.flip(1)[:, :k].T.float()
others, whole = ((x @ S.T).pow(2).sum().double() / ends[:, 1:].pow(2).sum().double() for x in (others, ends[:, 1:]))
mean = (ends[:, 1:] @ S.T).mean((0, 1))
divergence = []
for rows, end in zip(tokens.split(4), ends.split(4)):
    changed = end.clone()
    changed[:, 1:] += (mean - end[:, 1:] @ S.T) @ S
    clean, other = ((model.lm_head(model.model.norm(x))[:, :-1]).double().log_softmax(-1) for x in (end, changed))
    divergence.append((clean.exp() * (clean - other)).sum(-1)[:, 1:])
print(json.dumps({
    "writer": args.writer,
    "k": k,
    "content": float(whole),
    "others": float(others),
    "needed": float(torch.cat(divergence).mean()),
    "lost": float(torch.cat(lost).mean()),
    "put back at the end": float(torch.cat(put_back).mean()),
}))
