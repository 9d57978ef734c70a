"""Trains one model on out/training/tokens.npz.

    python data/training/train.py --name first                                  # the first embedded model's settings
    python data/training/train.py --name a --d-model 96 --emb-std 0.2 --emb-limit 0.2 --tokens 1e8 --device cuda

out/training/<name>/: log.jsonl (a line every --log-every steps: step, tokens, seconds, training loss as a running mean, held-out loss
now and then), checkpoint.pt (--resume goes on from it), and at every checkpoint the model itself: config.json, model.safetensors,
tokenizer.json, held-out.safetensors (300 prompts), training.json. SIGTERM saves and stops. A paused process (SIGSTOP) goes on
unharmed: a step counts as 20 s at most.

Muon trains the blocks' matrices (or AdamW, with --blocks adamw), AdamW the rest. The learning rate is constant and then falls linearly to 3 %. Every choice is an
option; each default is the first embedded model's.
"""

import argparse
import json
import platform
import shutil
import signal
import time
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import torch
import torch.nn.functional as F

from batches import Corpus, save_prompts
from model import Config, Model
from muon import Muon

OUT = Path(__file__).resolve().parents[2] / "out/training"


def by_layer(text: str) -> list[float]:
    """One number for all layers, or one for each, with commas."""
    return [float(part) for part in text.split(",")]


def for_layers(given: list[float], n_layers: int, option: str) -> list[float]:
    if len(given) not in (1, n_layers):
        raise SystemExit(f"--{option}: expected 1 or {n_layers} numbers, got {len(given)}")
    return given * n_layers if len(given) == 1 else given


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--name", required=True, help="folder below --out")
    add("--out", type=Path, default=OUT)
    for field in fields(Config):
        kind = (lambda text: {"true": True, "false": False}[text]) if field.type is bool else field.type
        add("--" + field.name.replace("_", "-"), type=kind, default=field.default, help=f"default {field.default}")
    add("--tokens", type=float, default=30e6, help="tokens seen in all (default 30e6)")
    add("--seconds", type=float, default=float("inf"), help="or training time, whichever ends first; the schedule follows")
    add("--batch", type=int, default=16, help="rows a step (default 16)")
    add("--anneal", type=float, default=0.5, help="share of the run after which the learning rate falls (default 0.5)")
    add("--average", type=int, default=0, help="the model that is saved is a running mean of the weights over about so many steps (default 0: the last weights)")
    add("--warmup", type=int, default=50, help="steps (default 50)")
    add("--blocks", choices=["muon", "adamw"], default="muon", help="what trains the blocks' matrices")
    add("--blocks-lr", type=float, default=0.015, help="its learning rate (AdamW: rather 0.001)")
    add("--attn-decay", type=by_layer, default=[0.5], metavar="A[,B,…]",
        help="its decay of the attention matrices, one number or one for each layer; Muon's singular values stay below about 1 / decay (default 0.5)")
    add("--mlp-decay", type=by_layer, default=[0.5], metavar="A[,B,…]", help="the same for MLPs")
    add("--head-dropout", type=by_layer, default=[0.0], metavar="A[,B,…]",
        help="share of the rows in which a head writes nothing while training (the others write 1 / (1 − share) of theirs), one number or one for each layer")
    add("--adam-lr", type=float, default=4e-3)
    add("--emb-lr", type=float, help="AdamW's rate for W_E and W_pos (default --adam-lr); small embeddings need a small one")
    add("--emb-decay", type=float, default=0.02, help="AdamW's decay of W_E and W_pos")
    add("--unembed-decay", type=float, default=0.02)
    add("--emb-limit", type=float, help="no row of W_E may have a root mean square above this")
    add("--pos-limit", type=float, help="the same for W_pos")
    add("--seed", type=int, default=0)
    add("--begin-from", type=Path, help="folder of an exported model of the same dimensions and tokenizer to train further, for a stated variant")
    add("--new-positions", action="store_true", help="with --begin-from: W_pos starts as --positions and --pos-std say, not as the exported model's")
    add("--device", default="cpu", help="cpu or cuda (bf16 and torch.compile)")
    add("--fast", action="store_true", help="on CPU: matrix products in bf16 and attention.cpp (heads of 16 numbers)")
    add("--threads", type=int, default=1, help="on a shared machine one thread is faster than two that wait for each other")
    add("--log-every", type=int, default=50)
    add("--check-every", type=int, default=500, help="steps between held-out loss and checkpoint")
    add("--resume", action="store_true")
    return parser.parse_args()


def optimizers(model: Model, args: argparse.Namespace) -> tuple[torch.optim.AdamW, Muon, list[torch.nn.Parameter]]:
    """AdamW, Muon (empty with --blocks adamw) and the parameters whose gradients are clipped together."""
    attention = [[b.W_QKV, b.W_O] for b in model.blocks]
    mlps = [[p for p in (b.W_in, b.W_out) if p.requires_grad] for b in model.blocks]
    n_layers = len(model.blocks)
    decays = [*zip(attention, for_layers(args.attn_decay, n_layers, "attn-decay")), *zip(mlps, for_layers(args.mlp_decay, n_layers, "mlp-decay"))]
    muon = Muon(decays if args.blocks == "muon" else [])
    matrices = {id(p) for parameters, _ in decays for p in parameters}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in matrices]
    embeddings = [p for p in (model.W_E, model.W_pos) if p.requires_grad]
    adam = torch.optim.AdamW([
        {"params": embeddings, "weight_decay": args.emb_decay, "top": args.emb_lr or args.adam_lr},
        {"params": [model.W_U], "weight_decay": args.unembed_decay, "top": args.adam_lr},
        # LayerNorms and biases; b_QKV [3, heads·d_head] is a bias too.
        {"params": [p for p in rest if p.dim() < 2] + [b.b_QKV for b in model.blocks], "weight_decay": 0.0, "top": args.adam_lr},
        *({"params": p, "weight_decay": decay, "top": args.blocks_lr} for p, decay in decays if p and args.blocks == "adamw"),
    ], lr=args.adam_lr, betas=(0.9, 0.98), fused=args.device == "cuda")
    return adam, muon, rest if args.blocks == "muon" else list(model.parameters())


def main() -> None:
    args = options()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    cuda = args.device == "cuda"
    if cuda:
        torch.set_float32_matmul_precision("high")
    config = Config(**{f.name: getattr(args, f.name) for f in fields(Config)})
    folder = args.out / args.name
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(args.out / "tokens.npz", config.n_ctx, args.device)
    prompts, is_code = corpus.held_out_rows()
    model = Model(config).to(args.device)
    if args.begin_from:
        positions = model.W_pos.detach().clone()
        model.load(args.begin_from)
        if args.new_positions:
            model.W_pos.data.copy_(positions)
    if args.fast:
        from attention import CausalAttention, kernel

        kernel()
        for block in model.blocks:
            block.attend = CausalAttention.apply
    for block, share in zip(model.blocks, for_layers(args.head_dropout, config.n_layers, "head-dropout")):
        block.head_dropout = share
    adam, muon, clipped = optimizers(model, args)

    def loss_of(tokens: torch.Tensor) -> torch.Tensor:
        with torch.autocast(args.device, torch.bfloat16, enabled=cuda or args.fast):
            logits = model(tokens)
            return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

    training_loss = torch.compile(loss_of) if cuda else loss_of
    step, seconds, epoch, at, mean = 0, 0.0, 0, 0, None
    average = [p.detach().clone() for p in model.parameters()]
    if args.resume:
        saved = torch.load(folder / "checkpoint.pt", map_location=args.device)
        model.load_state_dict(saved["model"])
        adam.load_state_dict(saved["adam"])
        muon.buffers = saved["muon"]
        average = saved.get("average", [p.detach().clone() for p in model.parameters()])
        step, seconds, epoch, at, mean = saved["at"]
    order = corpus.epoch(args.seed + epoch)
    log = (folder / "log.jsonl").open("a" if args.resume else "w")

    def record(line: dict) -> None:
        log.write(json.dumps(line) + "\n")
        log.flush()
        print(json.dumps(line), flush=True)

    def save() -> None:
        """Checkpoint and model."""
        partial = folder / "checkpoint.partial"
        torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "muon": muon.buffers, "average": average,
                    "at": (step, seconds, epoch, at, mean)}, partial)
        partial.replace(folder / "checkpoint.pt")
        with averaged():
            model.export(folder)

    @contextmanager
    def averaged():
        """The model with its mean weights."""
        last = [p.detach().clone() for p in model.parameters()]
        put(average if args.average else last)
        yield
        put(last)

    @contextmanager
    def judged():
        """Without dropout."""
        model.eval()
        yield
        model.train()

    @torch.no_grad()
    def put(weights: list[torch.Tensor]) -> None:
        for p, weight in zip(model.parameters(), weights):
            p.copy_(weight)

    stopped = False

    def stop(*_) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    save_prompts(folder / "held-out.safetensors", prompts, is_code)
    shutil.copy(args.out / "tokenizer.json", folder / "tokenizer.json")
    chosen = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items() if k != "out" and v not in (None, float("inf"))}
    record({"options": chosen, "parameters": sum(p.numel() for p in model.parameters()), "rows_an_epoch": len(order),
            "torch": torch.__version__, "machine": torch.cuda.get_device_name() if cuda else platform.machine()})
    per_step = args.batch * config.n_ctx
    while (share := max(step * per_step / args.tokens, seconds / args.seconds)) < 1 and not stopped:
        began = time.monotonic()
        rate = min(1, (step + 1) / args.warmup) * (1 if share < args.anneal else max(0.03, (1 - share) / (1 - args.anneal)))
        if at + args.batch > len(order):
            epoch, at = epoch + 1, 0
            order = corpus.epoch(args.seed + epoch)
        loss = training_loss(corpus.rows(order[at : at + args.batch]))
        at += args.batch
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(clipped, 1.0)
        for group in adam.param_groups:
            group["lr"] = group["top"] * rate
        adam.step()
        muon.step(args.blocks_lr * rate)
        model.constrain(args.emb_limit, args.pos_limit)
        step += 1
        if args.average and step % 10 == 0:
            with torch.no_grad():  # over all steps at first, over the last --average ones later
                torch._foreach_lerp_(average, list(model.parameters()), 10 / min(args.average, step))
        if step % args.log_every == 0 or step == 1:
            now = loss.item()
            mean = now if mean is None else 0.8 * mean + 0.2 * now
        seconds += min(time.monotonic() - began, 20)
        if step % args.log_every == 0:
            record({"step": step, "tokens": step * per_step, "seconds": round(seconds, 1), "loss": round(mean, 4), "rate": round(rate, 4)})
        if step % args.check_every == 0:
            with torch.no_grad(), averaged(), judged():
                held = sum(loss_of(rows).item() for rows in prompts[:64].split(16)) / 4
            record({"step": step, "held_out_loss_of_64_prompts": round(held, 4)})
            save()
    save()
    with torch.no_grad(), averaged(), judged():
        held = sum(loss_of(rows).item() * len(rows) for rows in prompts.split(20)) / len(prompts)
    record({"finished": not stopped, "step": step, "tokens": step * per_step, "seconds": round(seconds, 1), "held_out_loss": round(held, 4)})


if __name__ == "__main__":
    main()
