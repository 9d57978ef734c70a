"""The tokenizer, byte-level BPE of 4096 tokens, and the corpus as token ids.

    python data/training/bpe.py                         # out/training/tokenizer.json and tokens.npz
    python data/training/bpe.py --tokenizer data/models/tiny-gelu-4l/tokenizer.json     # encode only, with a tokenizer that exists

As in gelu-4l every digit is a token of its own (with or without the space before it); <|BOS|> is id 0. The tokenizer is trained on
the documents that are not held out. Needs the packages `tokenizers` and `numpy`.

tokens.npz: ids uint16 [token], all documents one after another without separators; start int64 [document + 1], where each begins;
code and held_out bool [document]; source, the packages' names, and source_of int [document]. 60 M characters are about 17 M tokens and 30 MB.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

OUT = Path(__file__).resolve().parents[2] / "out/training"
BOS = "<|BOS|>"
# GPT-2's pattern with single digits.
PIECES = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def untrained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="folder with corpus.jsonl (default out/training)")
    parser.add_argument("--vocab", type=int, default=4096)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json to encode with, instead of training one")
    args = parser.parse_args()
    with (args.out / "corpus.jsonl").open(encoding="utf8") as file:
        documents = [json.loads(line) for line in file]
    if args.tokenizer:
        tokenizer = Tokenizer.from_file(str(args.tokenizer))
    else:
        tokenizer = untrained()
        trainer = trainers.BpeTrainer(vocab_size=args.vocab, special_tokens=[AddedToken(BOS, special=True)],
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
        tokenizer.train_from_iterator((d["text"] for d in documents if not d["held_out"]), trainer)
        tokenizer.save(str(args.out / "tokenizer.json"), pretty=False)
    if tokenizer.token_to_id(BOS) != 0 or tokenizer.get_vocab_size() > 65536:
        raise SystemExit(f"expected {BOS} = 0 and ids that fit uint16, got {tokenizer.token_to_id(BOS)} and {tokenizer.get_vocab_size()} tokens")
    encoded = []
    for first in range(0, len(documents), 64):
        batch = tokenizer.encode_batch([d["text"] for d in documents[first : first + 64]], add_special_tokens=False)
        encoded += [np.array(e.ids, dtype=np.uint16) for e in batch]
    sources = list(dict.fromkeys(d["source"] for d in documents))
    partial = args.out / "tokens.partial.npz"
    np.savez_compressed(
        partial,
        ids=np.concatenate(encoded),
        start=np.concatenate([[0], np.cumsum([len(e) for e in encoded])]),
        code=np.array([d["kind"] == "code" for d in documents]),
        held_out=np.array([d["held_out"] for d in documents]),
        source=np.array(sources),
        source_of=np.array([sources.index(d["source"]) for d in documents]),
    )
    partial.replace(args.out / "tokens.npz")
    for name, chosen in (("training", False), ("held out", True)):
        tokens = {kind: sum(len(e) for e, d in zip(encoded, documents) if d["kind"] == kind and d["held_out"] == chosen) for kind in ("prose", "code")}
        print(f"{name}: {tokens['prose']:,} tokens of prose, {tokens['code']:,} of code")


if __name__ == "__main__":
    main()
