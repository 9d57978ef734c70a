"""Writes data/expected/<model>.json: what TransformerLens gives for Figures 1, 2, 3, 4 and 5 on the embedded model.

Every figure is pooled over all prompts and all positions ("all", as in the post) and once more without position 0 and
the last position, which never received a training signal ("inner"). Field names are those of lib/experiments/rows.ts; added
are wideLow and wideHigh (quantiles 0.125 and 0.875), `negative` (the share of values below 0) and `sumRatio`
(Σ a·b / Σ ‖b‖² over all prompts and positions). The form of the file is that of expected_format.py.
"""

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from expected_format import in_figures, write_json
from runs import (clean_run, direct_logit_attribution, location_hook, locations, node_names, node_output, patched_run,
                  projection_ratio, top2_direction, v_composition)
from tiny_model import MODEL_FOLDER, PROMPTS_FILE, ROOT, Cleanup, head, layer_of, load_model, load_prompts, sha256, versions

BATCH = 22
FIGURE5_PROMPTS = 30
REPOSITORY_PROMPTS = 10
FIGURE4_PAIRS = 6
FIGURE4_FIXED = [(0, 10), (1, 100), (2, 200), (3, 254)]
FIGURE4_SOURCES = 24
BOS = 0


def digits(x: float, n: int = 6) -> float:
    return float(f"{float(x):.{n}g}")


class Pairs:
    """Projection ratios of many outputs onto one writer, gathered batch by batch."""

    def __init__(self):
        self.values: dict[str, list[np.ndarray]] = {}
        self.dots: dict[str, float] = {}
        self.norms: dict[str, float] = {}

    def add(self, name: str, a: torch.Tensor, b: torch.Tensor):
        self.values.setdefault(name, []).append(projection_ratio(a, b).numpy())
        for positions, rows in (("all", slice(None)), ("inner", slice(1, -1))):
            key = f"{name} {positions}"
            self.dots[key] = self.dots.get(key, 0.0) + float((a * b)[:, rows].sum())
            self.norms[key] = self.norms.get(key, 0.0) + float((b * b)[:, rows].sum())

    def band(self, name: str, positions: str) -> dict:
        x = np.concatenate(self.values[name])
        x = (x if positions == "all" else x[:, 1:-1]).ravel()
        q = np.quantile(x, [0.5, 0.25, 0.75, 0.125, 0.875])  # linear interpolation, numpy's default
        return {
            **{key: digits(v) for key, v in zip(("median", "low", "high", "wideLow", "wideHigh"), q)},
            "negative": digits((x < 0).mean()),
            "sumRatio": digits(self.dots[f"{name} {positions}"] / self.norms[f"{name} {positions}"]),
            "n": x.size,
        }


def sum_name(heads: list[str]) -> str:
    """As sumName() in lib/experiments/node_projections.ts."""
    if len(heads) == 1:
        return heads[0]
    return f"{heads[0]}+{'…+' if len(heads) > 2 else ''}{heads[-1]}"


def groups(cleaners: list[str]) -> dict[str, list[str]]:
    """The cleaners of each layer, and all of them, by the name of their sum."""
    layers = sorted({layer_of(c) for c in cleaners})
    of_layer = [[c for c in cleaners if layer_of(c) == layer] for layer in layers]
    return {sum_name(g): g for g in [*of_layer, cleaners]}


def heads_only(cleaners: list[str]) -> list[str]:
    """V-composition is of heads: what an MLP writes because of the writer is no linear part of its output."""
    return [c for c in cleaners if not c.startswith("MLP")]


def node_row(pairs: Pairs, key: str, node: str, positions: str, cleanup: Cleanup, run: str) -> dict:
    is_sum = "+" in node
    kind = "sum" if is_sum else "mlp" if node.startswith("MLP") else "head" if node.startswith("L") else "embed"
    last = node.split("+")[-1]
    layer = -1 if kind == "embed" else layer_of(last)
    return {"writer": cleanup.writer, "node": node, "kind": kind, "layer": layer,
            "cleaner": is_sum or node in cleanup.cleaners, "run": run, **pairs.band(key, positions)}


def projection_figures(model, prompts: torch.Tensor, cleanup: Cleanup) -> dict:
    """Figures 1, 2, 3a and 3b, and the same location bands for every node of layers 0 and 1 (`writers`)."""
    where, nodes, sums = locations(model.cfg.n_layers), node_names(model), groups(cleanup.cleaners)
    early = [n for n in nodes if n in ("embed", "pos_embed", "MLP0", "MLP1") or n[:2] in ("L0", "L1")]
    later = range(int(cleanup.writer[1]) + 1, model.cfg.n_layers)
    variants = {"patched": cleanup.patched_layers, **{f"patched {layer}": [layer] for layer in cleanup.patched_layers}, "later": [*later]}
    late = [n for n in nodes if n.startswith("L") and head(n)[0] in cleanup.patched_layers]
    clean_pairs, patched_pairs = {w: Pairs() for w in early}, {v: Pairs() for v in variants}
    identity = 0.0
    for start in range(0, len(prompts), BATCH):
        tokens = prompts[start:start + BATCH]
        clean = clean_run(model, tokens)
        outputs = {node: node_output(clean.cache, node) for node in nodes}
        for w, pairs in clean_pairs.items():
            for location in where:
                pairs.add(location, clean.cache[location_hook(location)], outputs[w])
            for node in nodes if w == cleanup.writer else []:
                pairs.add(node, outputs[node], outputs[w])
            for name, members in sums.items() if w == cleanup.writer else []:
                pairs.add(name, sum(outputs[c] for c in members), outputs[w])
        writer = outputs[cleanup.writer]
        for variant, layers in variants.items():
            run = patched_run(model, tokens, clean, cleanup.writer, layers)
            for location in where:
                patched_pairs[variant].add(location, run.cache[location_hook(location)], writer)
            for node in late:
                patched_pairs[variant].add(node, node_output(run.cache, node), writer)
            for name, members in sums.items():
                patched_pairs[variant].add(name, sum(node_output(run.cache, c) for c in members), writer)
            if len(layers) == 1:
                for c in (c for c in heads_only(cleanup.cleaners) if layer_of(c) == layers[0]):
                    lost = outputs[c] - node_output(run.cache, c)
                    identity = max(identity, float((lost - v_composition(model, clean, cleanup.writer, c)).abs().max()))
    result: dict = {"identity": {"what": "max |clean head result − patched head result − V-composition| over all single-layer patches",
                                 "max": digits(identity, 2)}}

    def location_rows(pairs: Pairs, w: str, run: str, positions: str) -> list[dict]:
        return [{"writer": w, "location": loc, "run": run, **pairs.band(loc, positions)} for loc in where]

    for positions in ("all", "inner"):
        own = clean_pairs[cleanup.writer]
        result.setdefault("figure1", {})[positions] = [
            row for w in early for row in location_rows(clean_pairs[w], w, "clean", positions)]
        result.setdefault("figure2", {})[positions] = [
            node_row(own, n, n, positions, cleanup, "clean") for n in [*nodes, *sums] if n != cleanup.writer]
        for variant, layers in variants.items():
            pairs = patched_pairs[variant]
            entry = result.setdefault("figure3", {}).setdefault("+".join(map(str, layers)), {"patchedLayers": layers})
            entry[positions] = {
                "locations": location_rows(pairs, cleanup.writer, "patched", positions),
                "nodes": [node_row(pairs, n, n, positions, cleanup, "patched") for n in [*late, *sums]],
            }
    return result


def fit(x: np.ndarray, y: np.ndarray) -> dict:
    """Ordinary least squares with the usual standard errors (n − 2 degrees of freedom)."""
    n, xc = x.size, x - x.mean()
    slope = (xc * y).sum() / (xc * xc).sum()
    intercept = y.mean() - slope * x.mean()
    variance = ((y - slope * x - intercept) ** 2).sum() / (n - 2)
    slope_error = np.sqrt(variance / (xc * xc).sum())
    intercept_error = np.sqrt(variance * (1 / n + x.mean() ** 2 / (xc * xc).sum()))
    values = dict(r=np.corrcoef(x, y)[0, 1], slope=slope, slopeError=slope_error, intercept=intercept,
                  interceptError=intercept_error)
    return {"n": n, **{key: digits(v) for key, v in values.items()}}


def figure5(model, prompts: torch.Tensor, cleanup: Cleanup) -> dict:
    """Writer's DLA (x) against the cleaners' V-composition and total DLA (y), in the post's form and in the repository's."""
    tokens = prompts[:FIGURE5_PROMPTS]
    clean = clean_run(model, tokens)
    post, repository = {}, {}
    _, top2 = top2_direction(model, clean)
    n_repository, last = REPOSITORY_PROMPTS, tokens.shape[1] - 1
    following = torch.zeros_like(tokens)
    following[:, :-1] = tokens[:, 1:]
    next_token = model.W_U.T[following]

    def dla(output, direction):
        return direct_logit_attribution(model, clean, output, direction).numpy()

    x_post, x_next = (dla(node_output(clean.cache, cleanup.writer), d) for d in (top2, next_token))
    cleaners = heads_only(cleanup.cleaners)
    last_one = cleaners[-1]
    for name, members in {last_one: [last_one], **groups(cleaners)}.items():
        composed = sum(v_composition(model, clean, cleanup.writer, c) for c in members)
        unweighted = sum(v_composition(model, clean, cleanup.writer, c, attention=False) for c in members)
        total = sum(node_output(clean.cache, c) for c in members)
        for positions, part in (("all", slice(None)), ("inner", slice(1, -1))):
            x = x_post[:, part].ravel()
            post.setdefault(name, {})[positions] = {"composition": fit(x, dla(composed, top2)[:, part].ravel()),
                                                    "total": fit(x, dla(total, top2)[:, part].ravel())}
        window = (slice(0, n_repository), slice(32, last))
        x = x_next[window].ravel()
        repository[name] = {"composition": fit(x, dla(unweighted, next_token)[window].ravel()),
                            "total": fit(x, dla(total, next_token)[window].ravel())}
    return {
        "post": {"what": "first 30 prompts, top-2 logit difference, attention-weighted V-composition; x: DLA of the writer", **post},
        "repository": {"what": f"first {n_repository} prompts, positions 32…{last - 1}, DLA of the logit of the actual next token "
                               "(no difference), V-composition without attention weights (same position, LayerNorm scale of "
                               "the cleaner's layer)", **repository},
    }


def figure4(model, prompts: torch.Tensor, cleanup: Cleanup) -> dict:
    """DLA of the writer on single predictions, clean, and with its LayerNorm'd input at the last position taken from other prompts."""
    tokens = prompts[:FIGURE5_PROMPTS]
    clean = clean_run(model, tokens)
    top, direction = top2_direction(model, clean)
    layer, index = head(cleanup.writer)
    dla = direct_logit_attribution(model, clean, node_output(clean.cache, cleanup.writer), direction)
    inner = dla.clone()
    inner[:, 0] = inner[:, -1] = -torch.inf
    largest = inner.max(dim=1)
    prompts_by_dla = largest.values.argsort(descending=True)[:FIGURE4_PAIRS].tolist()
    pairs = [(p, int(largest.indices[p])) for p in prompts_by_dla] + FIGURE4_FIXED
    # resample only the writer: its Q, K and V at the last position come from the same position of another prompt
    normalized = model.run_with_cache(tokens, names_filter=f"blocks.{layer}.ln1.hook_normalized")[1][
        f"blocks.{layer}.ln1.hook_normalized"]
    rows = []
    for prompt, position in pairs:
        sources = [s for s in range(len(tokens)) if s != prompt][:FIGURE4_SOURCES]
        prefix = tokens[prompt, :position + 1].expand(len(sources), -1)

        def resample(x, hook):
            x[:, -1] = normalized[sources, position]
            return x

        name = f"blocks.{layer}.attn.hook_result"
        with model.hooks(fwd_hooks=[(f"blocks.{layer}.ln1.hook_normalized", resample)]):
            _, cache = model.run_with_cache(prefix, names_filter=name)
        output = cache[name][:, -1, index]
        centred = output - output.mean(-1, keepdim=True)
        samples = centred / clean.cache["ln_final.hook_scale"][prompt, position] @ direction[prompt, position]
        ids = top[prompt, position].tolist()
        q = np.quantile(samples.numpy(), [0.5, 0.25, 0.75])
        rows.append({
            "promptIndex": prompt, "position": position, "correctId": ids[0], "incorrectId": ids[1], "node": cleanup.writer,
            "logitDifference": digits(clean.logits[prompt, position, ids[0]] - clean.logits[prompt, position, ids[1]]),
            "clean": digits(dla[prompt, position]), "samples": [digits(s) for s in samples],
            **{key: digits(v) for key, v in zip(("median", "low", "high"), q)},
        })
    return {
        "what": f"the {FIGURE4_PAIRS} of the first 30 prompts in which the writer's DLA of the top-2 logit difference is highest (position of "
                "its highest value in each, first and last position left out), then 4 fixed pairs. samples: blocks."
                f"{layer}.ln1.hook_normalized at the prediction's position replaced by that of prompts 0, 1, 2 … (the prompt itself left out, "
                f"{FIGURE4_SOURCES} in all) at the same position; only this head's output is read; LayerNorm scale and top-2 tokens of the clean run",
        "rows": rows,
    }


def figure4_prompts(model, prompts: torch.Tensor, cleanup: Cleanup) -> dict:
    """Figure 4 on the model's adversarial prompts: the writer, and of all other heads the one with the highest DLA."""
    tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
    rows = []
    for prompt in json.loads((MODEL_FOLDER / "adversarial.json").read_text())["prompts"]:
        ids = [BOS, *tokenizer.encode(prompt["text"]).ids]
        own = torch.tensor([ids])
        clean = clean_run(model, own)
        top, direction = top2_direction(model, clean)
        if "correct" in prompt:
            answers = [tokenizer.encode(prompt[key]).ids for key in ("correct", "incorrect")]
            assert all(len(a) == 1 for a in answers), answers
            answers = [a[0] for a in answers]
            direction = (model.W_U[:, answers[0]] - model.W_U[:, answers[1]]).expand_as(direction)
        else:
            answers = top[0, -1].tolist()
        scale, vector = clean.cache["ln_final.hook_scale"][0, -1], direction[0, -1]

        def dla(output):
            return (output - output.mean(-1, keepdim=True)) / scale @ vector

        heads = [n for n in node_names(model) if n.startswith("L")]
        values = {n: float(dla(node_output(clean.cache, n)[0, -1])) for n in heads}
        other = max((n for n in heads if n != cleanup.writer), key=values.get)
        for panel, node in (("a", cleanup.writer), ("b", other)):
            layer, index = head(node)
            point, result = f"blocks.{layer}.ln1.hook_normalized", f"blocks.{layer}.attn.hook_result"
            unrelated = model.run_with_cache(prompts[:, :len(ids)], names_filter=point)[1][point]

            def resample(x, hook):
                x[:, -1] = unrelated[:, -1]
                return x

            with model.hooks(fwd_hooks=[(point, resample)]):
                _, cache = model.run_with_cache(own.expand(len(prompts), -1), names_filter=result)
            samples = dla(cache[result][:, -1, index]).numpy()
            q = np.quantile(samples, [0.5, 0.25, 0.75])
            rows.append({
                "prompt": prompt["text"], "node": node, "panel": panel,
                "correct": tokenizer.id_to_token(answers[0]).replace("Ġ", " ").replace("Ċ", "\n"),
                "incorrect": tokenizer.id_to_token(answers[1]).replace("Ġ", " ").replace("Ċ", "\n"),
                "logitDifference": digits(clean.logits[0, -1, answers[0]] - clean.logits[0, -1, answers[1]]),
                "clean": digits(values[node]), **{key: digits(v) for key, v in zip(("median", "low", "high"), q)},
            })
    return {"what": f"The model's adversarial prompts; resampled from the beginnings of all {len(prompts)} held-out prompts", "rows": rows}


def loss_without(model, prompts: torch.Tensor, node: str) -> dict:
    """Mean loss when a head's output is replaced by zeros everywhere."""
    layer, index = head(node)

    def zero(result, hook):
        result[:, :, index] = 0
        return result

    loss = []
    with model.hooks(fwd_hooks=[(f"blocks.{layer}.attn.hook_result", zero)]):
        for i in range(0, len(prompts), BATCH):
            loss.append(model(prompts[i:i + BATCH], return_type="loss", loss_per_token=True).numpy())
    loss = np.concatenate(loss)
    return {"run": f"without {node}", "loss": digits(loss.mean()), "n": loss.size}


def residual_norms(model, prompts: torch.Tensor) -> list[dict]:
    """Median norm of the residual stream at each location, over all positions."""
    norms: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(prompts), BATCH):
        clean = clean_run(model, prompts[start:start + BATCH])
        for location in locations(model.cfg.n_layers):
            norms.setdefault(location, []).append(clean.cache[location_hook(location)].norm(dim=-1).numpy().ravel())
    return [{"location": location, "norm": digits(np.median(np.concatenate(values)))} for location, values in norms.items()]


def record(file: Path = ROOT / "data/expected/tiny-gelu-4l.json") -> None:
    torch.set_grad_enabled(False)
    model, prompts, cleanup = load_model(), load_prompts(), Cleanup.read()
    loss = [model(prompts[i:i + BATCH], return_type="loss", loss_per_token=True).numpy() for i in range(0, len(prompts), BATCH)]
    content = {
        "model": MODEL_FOLDER.name,
        "computation": {
            "by": "tests/reference/expected.py: TransformerLens HookedTransformer on the CPU, default weight processing (fold_ln, "
                  "center_writing_weights, center_unembed, fold_value_biases; in float32, as TransformerLens does it), forward in float64",
            "versions": versions(),
            "weightsSha256": sha256(MODEL_FOLDER / "model.safetensors"),
            "promptsSha256": sha256(PROMPTS_FILE),
            "prompts": len(prompts),
            "positions": {"all": "every position of every prompt", "inner": "without position 0 and the last one"},
            "quantiles": "low 0.25, high 0.75, wideLow 0.125, wideHigh 0.875; linear interpolation between order statistics",
            "patchedRun": "blocks.l.hook_v_input − the writer's clean output for every head of the patched layers, "
                          "blocks.l.ln1.hook_scale of those layers (for Q, K and V alike) frozen to the clean run; projections are onto the clean writer",
        },
        "writer": cleanup.writer, "cleaners": cleanup.cleaners, "patchedLayers": cleanup.patched_layers,
        "loss": {"what": "mean cross-entropy of the next token, in nats", "value": digits(np.concatenate(loss).mean()),
                 "n": int(np.concatenate(loss).size)},
        "residualNorm": residual_norms(model, prompts),
        "lossWithout": loss_without(model, prompts, cleanup.writer),
        **projection_figures(model, prompts, cleanup),
        "figure4Prompts": figure4_prompts(model, prompts, cleanup),
        "figure4": figure4(model, prompts, cleanup),
        "figure5": figure5(model, prompts, cleanup),
    }
    write_json(file, in_figures(content))
    print(f"wrote {file.relative_to(ROOT)}")
