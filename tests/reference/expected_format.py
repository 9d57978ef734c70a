"""Turns what expected.py measures into the figures that lib/experiments/expected.ts reads.

A figure is {source, tolerance {absolute, relative, reason}, keys, rows}. `keys` are the fields that tell rows apart; all other
fields of a row are numbers. The numbers are passed on as they are.
"""

import json
from pathlib import Path

TOLERANCE = {
    "absolute": 0.001, "relative": 0.001,
    "reason": "float32 here against float64 there, from weights processed in float32: medians and quantiles over all positions differ by some 1e-5",
}
LOCATION_KEYS = ["writer", "location", "run"]
NODE_KEYS = ["writer", "node", "run"]
NOT_MEASURED = ("kind", "layer", "cleaner")  # what a node is, not what was measured


def in_figures(measured: dict) -> dict:
    by = "TransformerLens in float64 (see computation)"
    writer = measured["writer"]
    writers_layer = writer.split("H")[0] + "H" if "H" in writer else writer
    figures: dict = {}

    def figure(name: str, positions: str, keys: list[str], rows: list[dict], what: str = "") -> None:
        rows = [{k: v for k, v in row.items() if k not in NOT_MEASURED} for row in rows]
        suffix = "" if positions == "all" else ", inner positions"
        figures[name + suffix] = {"source": f"{by}{what and '. ' + what}", "tolerance": TOLERANCE, "keys": keys, "rows": rows}

    for positions in ("all", "inner"):
        locations, nodes = measured["figure1"][positions], measured["figure2"][positions]
        of_layer = [r for r in locations if r["writer"].startswith(writers_layer)]
        figure("fig1", positions, LOCATION_KEYS, of_layer)
        figure("fig2", positions, NODE_KEYS, nodes)
        figure("appendix", positions, LOCATION_KEYS, [r for r in locations if r not in of_layer],
               "Residual stream onto the other writers of layers 0 and 1")
        clean_locations = [r for r in locations if r["writer"] == writer]
        for variant, patched in measured["figure3"].items():
            standard = patched["patchedLayers"] == measured["patchedLayers"]
            label = "" if standard else f", layer {variant} patched alone" if len(patched["patchedLayers"]) == 1 else ", every later layer patched"
            late = {r["node"] for r in patched[positions]["nodes"]}
            if standard:
                clean = clean_locations, [r for r in nodes if r["node"] in late]
            else:
                clean = [], []
            figure(f"fig3a{label}", positions, LOCATION_KEYS, clean[0] + patched[positions]["locations"])
            figure(f"fig3b{label}", positions, NODE_KEYS, clean[1] + patched[positions]["nodes"])

    if "figure4Prompts" in measured:
        f = measured["figure4Prompts"]
        figure("fig4", "all", ["prompt", "node", "panel", "correct", "incorrect"], f["rows"], f["what"])
    f = measured["figure4"]
    figure("fig4 in running text", "all", ["promptIndex", "position", "node"], f["rows"], f["what"])

    f = measured["figure5"]
    *single, all_cleaners = [g for g in f["post"] if g != "what"]
    for group in (all_cleaners, *single):
        label = "" if group == all_cleaners else f", {group} alone"
        for positions in ("all", "inner"):
            rows = [{"cleaners": group, "of": of, **fit} for of, fit in f["post"][group][positions].items()]
            figure(f"fig5{label}", positions, ["cleaners", "of"], rows, f["post"]["what"])
        rows = [{"cleaners": group, "of": of, **fit} for of, fit in f["repository"][group].items()]
        figure(f"fig5, repository form{label}", "all", ["cleaners", "of"], rows, f["repository"]["what"])

    if "lossWithout" in measured:
        clean = {"run": "clean", "loss": measured["loss"]["value"], "n": measured["loss"]["n"]}
        figure("loss", "all", ["run"], [clean, measured["lossWithout"]], measured["loss"]["what"] + "; the writer's output set to zero")
    if "residualNorm" in measured:
        figure("residual norm", "all", ["location"], measured["residualNorm"], "Median norm of the residual stream over all positions")
    kept = {k: v for k, v in measured.items() if not k.startswith(("figure", "loss", "residualNorm"))}
    return {**kept, "figures": figures}


def write_json(file: Path, content) -> None:
    """Two-space JSON in which a list of rows has one row a line."""
    def lines(value, indent: str) -> str:
        flat = json.dumps(value, ensure_ascii=False)
        scalars = isinstance(value, dict) and not any(isinstance(v, dict) for v in value.values()) and \
            not any(isinstance(v, list) and v and isinstance(v[0], dict) for v in value.values())
        if scalars and (len(flat) < 400 or "samples" in value) or not isinstance(value, (dict, list)):
            return flat
        if isinstance(value, list) and not any(isinstance(v, (dict, list)) for v in value):
            return flat
        deeper = indent + "  "
        if isinstance(value, list):
            return "[\n" + ",\n".join(deeper + lines(v, deeper) for v in value) + f"\n{indent}]"
        return "{\n" + ",\n".join(f"{deeper}{json.dumps(k, ensure_ascii=False)}: {lines(v, deeper)}" for k, v in value.items()) + f"\n{indent}}}"

    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".partial")
    temporary.write_text(lines(content, "") + "\n")
    temporary.replace(file)
