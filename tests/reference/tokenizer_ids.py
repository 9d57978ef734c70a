"""Writes tests/reference/data/tokenizers.json: ids of the Rust library (PyPI tokenizers) for tokenizers of every part that is supported.

One small BPE vocabulary is trained on the texts with nothing that splits them, so that its merges reach over spaces, digits and
punctuation: where a pre-tokenizer splits a text shows in the ids. Then each part is put into its place and the texts are encoded.

    python tests/reference/record.py tokenizer_ids
"""

import json
import unicodedata
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXTS = [
    "step ① then ②, ½ cup; Ⅳ of XII, x² = 4", "in 1984 and 20 25", "don't we'll  I've two  spaces\n\nlines \t tab ",
    "naïve café — “quotes” 日本語 🙂 ok?!...", "\ufeffmark a\u0085b c\u00a0d\u2003e\u200b", " ▁a▁▁b  c", "__init__(self, x_1): # todo!!",
    "", " ", "a<mask> b<mask>", "١٢٣ १२३ ３４", "e\u0301 ﬁ Å ﷺ",
]
SPECIAL = ["<|endoftext|>"]
# Every character that a normaliser makes is known too: without "unk_token" the Rust library drops an unknown one before it merges.
TRAINING = TEXTS * 3 + [text.lower() for text in TEXTS] + [unicodedata.normalize("NFKC", text) for text in TEXTS]


def trained():
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=420, min_frequency=1, special_tokens=SPECIAL, show_progress=False))
    return json.loads(tokenizer.to_str())


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(vocab_size=700, min_frequency=1, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TRAINING, trainer)
    return json.loads(tokenizer.to_str())


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PRE = {  # name: (vocabulary, pre-tokenizer)
    "none": ("chars", None),
    "Digits": ("chars", {"type": "Digits", "individual_digits": True}),
    "Digits together": ("chars", {"type": "Digits", "individual_digits": False}),
    "Whitespace": ("chars", {"type": "Whitespace"}),
    "WhitespaceSplit": ("chars", {"type": "WhitespaceSplit"}),
    "Punctuation": ("chars", {"type": "Punctuation", "behavior": "Isolated"}),
    "Punctuation contiguous": ("chars", {"type": "Punctuation", "behavior": "Contiguous"}),
    "Punctuation merged": ("chars", {"type": "Punctuation", "behavior": "MergedWithPrevious"}),
    "Metaspace": ("chars", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}),
    "Metaspace first": ("chars", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}),
    "Metaspace never, whole": ("chars", {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False}),
    "Split string previous": ("chars", split({"String": " "}, "MergedWithPrevious")),
    "Split string next": ("chars", split({"String": " "}, "MergedWithNext")),
    "Split string isolated": ("chars", split({"String": "."}, "Isolated")),
    "Split string removed": ("chars", split({"String": " "}, "Removed")),
    "Split regex removed inverted": ("chars", split({"Regex": r"\w+|[^\w\s]+"}, "Removed", True)),
    "Split regex isolated inverted": ("chars", split({"Regex": r"\d"}, "Isolated", True)),
    "Split string contiguous": ("chars", split({"String": " "}, "Contiguous")),
    "ByteLevel": ("bytes", {**BYTES, "use_regex": True}),
    "ByteLevel with prefix": ("bytes", {**BYTES, "use_regex": True, "add_prefix_space": True}),
    "ByteLevel whole with prefix": ("bytes", {**BYTES, "add_prefix_space": True}),
    "SmolLM": ("bytes", {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {**BYTES, "use_regex": True}]}),
    "Llama 3": ("bytes", {"type": "Sequence", "pretokenizers": [split({"Regex": LLAMA3}, "Isolated"), BYTES]}),
    "Falcon": ("bytes", {"type": "Sequence", "pretokenizers": [
        {"type": "Punctuation", "behavior": "Contiguous"}, {**BYTES, "use_regex": True}, {"type": "Digits", "individual_digits": False},
        split({"Regex": "[0-9][0-9][0-9]"}, "Isolated")]}),
}
NORMALIZERS = {
    "NFC": {"type": "NFC"}, "NFKC": {"type": "NFKC"}, "Lowercase": {"type": "Lowercase"},
    "Strip": {"type": "Strip", "strip_left": True, "strip_right": True}, "Strip right": {"type": "Strip", "strip_left": False, "strip_right": True},
    "Llama 2": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                     {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "Replace regex": {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
}


def record() -> None:
    vocabularies = {"chars": trained()}
    vocabularies["bytes"] = byte_level()
    cases = [(name, vocabulary, {"pre_tokenizer": part}) for name, (vocabulary, part) in PRE.items()]
    cases += [(name, "chars", {"normalizer": part, "pre_tokenizer": None}) for name, part in NORMALIZERS.items()]
    recorded = []
    for name, vocabulary, parts in cases:
        tokenizer = Tokenizer.from_str(json.dumps({**vocabularies[vocabulary], **parts}))
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        recorded.append({"name": name, "vocabulary": vocabulary, "parts": parts, "ids": ids})
    small = {key: {k: v[k] for k in ("added_tokens", "model")} for key, v in vocabularies.items()}
    path = Path(__file__).parent / "data/tokenizers.json"
    about = f"PyPI tokenizers {tokenizers.__version__}, by tests/reference/tokenizer_ids.py"
    path.write_text(json.dumps({"source": about, "texts": TEXTS, "vocabularies": small, "cases": recorded}, ensure_ascii=True) + "\n")
    print(path, path.stat().st_size, len({tuple(map(tuple, c["ids"])) for c in recorded}), "different of", len(recorded))

