"""Records again everything that the tests and notebooks compare with: run by hand, never by `deno task test`.

    pip install -r tests/reference/requirements.txt
    python tests/reference/record.py                 # all of it
    python tests/reference/record.py activations     # one part

expected      data/expected/tiny-gelu-4l.json               Figures 1 to 5 of the embedded model
more_figures  the same file, after `expected`              Figures 6 to 10, the rest of the appendix, neurons, token ids
activations   tests/reference/data/tiny-gelu-4l.*           hook points, logits, per-position values of two prompts
attribution   tests/reference/data/attribution.json         what becomes of the writer's DLA on one prompt, in PyTorch alone
recipes       tests/reference/data/recipes-3.json, -4.json  what the README's Python recipes print with the TransformerLens installed
families      tests/reference/families/<name>/              tiny random checkpoints of other architectures, with activations
tokenizer_ids tests/reference/data/tokenizers.json          ids of the Rust tokenizers library, for every supported part
gguf_files    tests/checkpoints/data/gguf/                  GGUF files by gguf-py, and what transformers computes with them
parquet_files tests/checkpoints/data/parquet/               small files that pyarrow writes
"""

import argparse
from importlib import import_module

import torch

PARTS = ("expected", "more_figures", "activations", "attribution", "recipes", "families", "tokenizer_ids", "parquet_files", "gguf_files")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help="one or more of those above; all when left out")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of PyTorch (default 1, so that runs repeat exactly)")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"unknown part {part!r}; parts are {', '.join(PARTS)}")
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    for part in arguments.parts or PARTS:
        import_module(part).record()


if __name__ == "__main__":
    main()
