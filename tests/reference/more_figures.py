"""Adds Figures 6 to 10, the rest of the appendix plot, some neurons' weights and token ids to data/expected/<model>.json, which
expected.py writes first.

All of it is measured with TransformerLens alone: its hooks, its weights, its loss. Field names are those of lib/experiments/rows.ts.
What stands in the file already stays as it is.
"""

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from expected import BATCH, BOS, Pairs, digits, write_json
from expected_format import LOCATION_KEYS, TOLERANCE
from runs import clean_run, location_hook, locations, node_names, node_output, projection_ratio, top2_direction
from tiny_model import MODEL_FOLDER, ROOT, Cleanup, head, load_model, load_prompts

BY = "TransformerLens in float64 (see computation)"
BINS = 60
ABLATION_SAMPLES = 100
FIGURE7_PROMPTS = 150
FIGURE8_POSITIONS = [0, 1, 2, 3, 5, 8, 16, 32, 64, 128, 192, 254, 255]


def band(x: np.ndarray) -> dict:
    q = np.quantile(x, [0.5, 0.25, 0.75])
    return {**{key: digits(v) for key, v in zip(("median", "low", "high"), q)}, "n": x.size}


def figure6(model, layer: int) -> list[dict]:
    """‖e/scale · W_V · W_O‖ for each row e of W_E and W_pos. norm: the middle of the fullest of BINS bins from 0 to the largest."""
    rows = []
    for h in range(model.cfg.n_heads):
        for kind, table in (("token", model.W_E), ("position", model.W_pos)):
            scaled = model.blocks[layer].ln1(table[None])[0]  # LayerNorm without weights: processed models have folded them
            norms = (scaled @ model.W_V[layer, h] @ model.W_O[layer, h]).norm(dim=-1).numpy()
            counts, edges = np.histogram(norms, bins=BINS, range=(0, norms.max()))
            fullest = counts.argmax()
            rows.append({"node": f"L{layer}H{h}", "embedding": kind, "norm": digits((edges[fullest] + edges[fullest + 1]) / 2), **band(norms)})
    return rows


def figure7(model, prompts: torch.Tensor, writer: str) -> tuple[list[dict], list[dict]]:
    """Mean loss of each prompt, and its increase when one head's result is that of the next prompt; the same with the writer's result zero, and its mean."""
    layer, writing = head(writer)
    name = f"blocks.{layer}.attn.hook_result"
    inner = prompts[:, :-1]  # the last token has no next one, so its result is part of no mean
    batches = [slice(start, start + BATCH) for start in range(0, len(prompts), BATCH)]
    results = lambda tokens: model.run_with_cache(tokens, names_filter=name)[1][name]
    mean = sum(results(inner[part])[:, :, writing].sum(0) for part in batches) / len(prompts)

    def losses(index: int | None, put) -> np.ndarray:
        """put(batch) → what stands in the place of the head's result, [batch, pos, d_model] or less."""
        found = []
        for part in batches:
            instead = None if index is None else put(part)

            def swap(result, hook):
                result[:, :-1, index] = instead
                return result

            with model.hooks(fwd_hooks=[] if index is None else [(name, swap)]):
                loss = model(prompts[part], return_type="loss", loss_per_token=True)
            found.append(loss.mean(-1).numpy())
        return np.concatenate(found)

    base = losses(None, None)
    row = lambda increase: {**band(increase), "mean": digits(increase.mean())}
    following = prompts.roll(-1, 0)[:, :-1]
    rows = [{"node": "none", **row(base)}]
    for h in range(model.cfg.n_heads):
        rows.append({"node": f"L{layer}H{h}", **row(losses(h, lambda part: results(following[part])[:, :, h]) - base)})
    controls = [{"node": writer, "by": by, **row(losses(writing, lambda part: value) - base)} for by, value in (("zero", 0), ("mean", mean))]
    return rows, controls


def figure8(model, prompts: torch.Tensor, cleanup: Cleanup) -> list[dict]:
    """The summed heads of the patched layers onto what the writer copies from position 0, and onto the rest of its output."""
    layer, index = head(cleanup.writer)
    wanted = [f"blocks.{layer}.attn.{x}" for x in ("hook_pattern", "hook_v", "hook_result")]
    summed = [f"blocks.{x}.hook_attn_out" for x in cleanup.patched_layers]
    ratios = {"BOS": [], "rest": []}
    for start in range(0, len(prompts), BATCH):
        tokens = prompts[start:start + BATCH]
        cache = model.run_with_cache(tokens, names_filter=lambda name: name in (*wanted, *summed))[1]
        written = sum(cache[f"blocks.{x}.hook_attn_out"] - model.b_O[x] for x in cleanup.patched_layers)
        attended = cache[wanted[0]][:, index, :, 0]  # [batch, query]
        copied = cache[wanted[1]][:, 0, index] @ model.W_O[layer, index]  # [batch, d_model]
        bos = attended[..., None] * copied[:, None]
        for part, direction in (("BOS", bos), ("rest", cache[wanted[2]][:, :, index] - bos)):
            ratios[part].append(projection_ratio(written, direction).numpy())
    rows = []
    for part, values in ratios.items():
        x = np.concatenate(values)
        rows += [{"writer": cleanup.writer, "position": t, "part": part, **band(x[:, t])}
                 for t in FIGURE8_POSITIONS if not (part == "rest" and t == 0)]
    return rows


def adversarial(model):
    """Text, ids and the two answers of each of the model's adversarial prompts."""
    tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
    for prompt in json.loads((MODEL_FOLDER / "adversarial.json").read_text())["prompts"]:
        ids = [BOS, *tokenizer.encode(prompt["text"]).ids]
        clean = clean_run(model, torch.tensor([ids]))
        answers = top2_direction(model, clean)[0][0, -1].tolist()
        if "correct" in prompt:
            answers = [tokenizer.encode(prompt[key]).ids[0] for key in ("correct", "incorrect")]
        yield prompt["text"], ids, answers, clean


def figure9(model, prompts: torch.Tensor) -> list[dict]:
    """DLA of every head, and how far the logit difference falls with the head's last result taken from unrelated texts (median)."""
    rows = []
    for text, ids, (correct, incorrect), clean in adversarial(model):
        difference = lambda logits: logits[..., -1, correct] - logits[..., -1, incorrect]
        vector = (model.W_U[:, correct] - model.W_U[:, incorrect]) / clean.cache["ln_final.hook_scale"][0, -1]
        unrelated = prompts[:ABLATION_SAMPLES, :len(ids)]
        others = model.run_with_cache(unrelated, names_filter=lambda name: name.endswith("hook_result"))[1]
        for node in (n for n in node_names(model) if n.startswith("L")):
            layer, index = head(node)
            name = f"blocks.{layer}.attn.hook_result"

            def swap(result, hook):
                result[:, -1, index] = others[name][:, -1, index]
                return result

            logits = model.run_with_hooks(torch.tensor([ids]).expand(len(unrelated), -1), fwd_hooks=[(name, swap)])
            output = node_output(clean.cache, node)[0, -1]
            rows.append({"prompt": text, "node": node, "dla": digits((output - output.mean()) @ vector),
                         "effect": digits(float(difference(clean.logits)[0]) - np.median(difference(logits).numpy()))})
    return rows


def figure10(model, cleanup: Cleanup) -> list[dict]:
    return [
        {"prompt": text, "writer": cleanup.writer, "location": location,
         "ratio": digits(projection_ratio(clean.cache[location_hook(location)], node_output(clean.cache, cleanup.writer))[0, -1])}
        for text, _, _, clean in adversarial(model) for location in locations(model.cfg.n_layers)
    ]


def weights(model) -> list[dict]:
    """One neuron of each layer: its input and output weights after processing, as in the published values of gelu-4l."""
    rows = []
    for layer in range(model.cfg.n_layers):
        neuron = 7 * (layer + 1)
        w_in, w_out = model.W_in[layer, :, neuron], model.W_out[layer, neuron]
        values = dict(cosine=w_in @ w_out / (w_in.norm() * w_out.norm()), dot=w_in @ w_out, normIn=w_in.norm(), normOut=w_out.norm(),
                      bIn=model.b_in[layer, neuron])
        rows.append({"layer": layer, "neuron": neuron, **{key: digits(v, 7) for key, v in values.items()}})
    return rows


def tokens(model) -> list[dict]:
    """Ids of the adversarial prompts, BOS first."""
    rows = []
    for text, ids, _, _ in adversarial(model):
        rows += [{"text": text, "position": i, "id": id, "length": len(ids)} for i, id in enumerate(ids)]
    return rows


def appendix(model, prompts: torch.Tensor, known: set[str]) -> list[dict]:
    """The residual stream onto every node that no other figure of the file has as writer."""
    nodes = [n for n in node_names(model) if n not in known]
    pairs = {node: Pairs() for node in nodes}
    for start in range(0, len(prompts), BATCH):
        clean = clean_run(model, prompts[start:start + BATCH])
        for node in nodes:
            for location in locations(model.cfg.n_layers):
                pairs[node].add(location, clean.cache[location_hook(location)], node_output(clean.cache, node))
    return [{"writer": node, "location": location, "run": "clean", **pairs[node].band(location, "all")}
            for node in nodes for location in locations(model.cfg.n_layers)]


def record(file: Path = ROOT / "data/expected/tiny-gelu-4l.json") -> None:
    torch.set_grad_enabled(False)
    model, prompts, cleanup = load_model(), load_prompts(), Cleanup.read()
    content = json.loads(file.read_text())
    figures = content["figures"]

    def figure(name: str, keys: list[str], rows: list[dict], what: str, prompts: int | None = None, **tolerance) -> None:
        """prompts: how many the values are over, where that is not all."""
        figures[name] = {"source": f"{BY}. {what}", **({"prompts": prompts} if prompts else {}), "tolerance": {**TOLERANCE, **tolerance},
                         "keys": keys, "rows": rows}

    known = {row["writer"] for name in ("fig1", "appendix") for row in figures[name]["rows"]}
    figure("appendix, later nodes", LOCATION_KEYS, appendix(model, prompts, known), "Residual stream onto the nodes of the other layers")
    figure("fig6", ["node", "embedding"], figure6(model, head(cleanup.writer)[0]),
           f"‖LayerNorm(embedding) · W_V · W_O‖; norm: the middle of the fullest of {BINS} bins from 0 to the largest")
    resampled, controls = figure7(model, prompts[:FIGURE7_PROMPTS], cleanup.writer)
    close = {"prompts": FIGURE7_PROMPTS, "absolute": 0.0001, "reason": "float32 here against float64 there: a mean loss of 255 positions differs by some 1e-6"}
    figure("fig7", ["node"], resampled, "Mean loss of each prompt, and its increase with one head's result from the next prompt; nats, over prompts", **close)
    figure("fig7, controls", ["node", "by"], controls, "Increase of each prompt's mean loss with the writer's result zero, or its mean; nats, over prompts", **close)
    figure("fig8", ["writer", "position", "part"], figure8(model, prompts, cleanup),
           f"All heads of layers {cleanup.patched_layers} summed, without b_O, onto the two parts of the writer's output, over prompts")
    figure("fig9", ["prompt", "node"], figure9(model, prompts),
           f"hook_result at the last position from the beginnings of the first {ABLATION_SAMPLES} held-out prompts, median")
    figure("fig10", ["writer", "prompt", "location"], figure10(model, cleanup), "Last position of each prompt")
    figure("weights", ["layer", "neuron"], weights(model), "One neuron of each layer, after weight processing",
           absolute=0.00001, relative=0.00001, reason="both process weights in float32")
    figure("tokens", ["text", "position"], tokens(model), "Tokens of the adversarial prompts, by the tokenizers library",
           absolute=0, relative=0, reason="ids are whole numbers")
    write_json(file, content)
    print(f"wrote {file.relative_to(ROOT)}")
