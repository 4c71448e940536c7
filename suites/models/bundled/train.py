#!/usr/bin/env python3
"""Trains the bundled model: a llama of 5.8 million parameters, on the text that text.py writes.

usage: train.py TEXT OUT [--hours H]     TEXT: text.py's folder; OUT: checkpoint, loss.csv, sample.txt and hf/ (for `yardstick model convert`)

Stops after H hours of its own (default 2) or STEPS steps, whichever is first; called again, it goes on from OUT/checkpoint.pt.
Pinned: torch 2.6.0, tokenizers 0.23.3, safetensors; seeded, but sums of floats depend on the number of threads.
"""
import argparse
import csv
import json
import math
import pathlib
import time

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SEED = 20261121
VOCAB, WIDTH, LAYERS, HEADS, KV_HEADS, INNER, CONTEXT = 4096, 256, 6, 4, 2, 768, 512
HEAD = WIDTH // HEADS
ROPE_BASE, EPSILON = 10000.0, 1e-5
BATCH, MICRO = 16, 4
STEPS, WARM_UP, COOL_DOWN = 306, 20, 0.5
# Of Muon for the layers' matrices, of AdamW for the embedding and the norms.
MATRIX_RATE, RATE, DECAY = 0.02, 3e-3, 0.1
EVERY = 18  # divides STEPS
PROMPTS = ["A vector is", "The borrow checker", "# Examples\n\n```rust\nlet"]


class Norm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        return F.rms_norm(x, (WIDTH,), self.weight, EPSILON)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        linear = lambda inputs, outputs: torch.nn.Linear(inputs, outputs, bias=False)
        self.attn_norm, self.ffn_norm = Norm(), Norm()
        self.q, self.k, self.v = linear(WIDTH, WIDTH), linear(WIDTH, KV_HEADS * HEAD), linear(WIDTH, KV_HEADS * HEAD)
        self.o = linear(WIDTH, WIDTH)
        self.gate, self.up, self.down = linear(WIDTH, INNER), linear(WIDTH, INNER), linear(INNER, WIDTH)

    def forward(self, x, turn):
        rows, length, _ = x.shape
        h = self.attn_norm(x)
        q = turn(self.q(h).view(rows, length, HEADS, HEAD).transpose(1, 2))
        k = turn(self.k(h).view(rows, length, KV_HEADS, HEAD).transpose(1, 2))
        v = self.v(h).view(rows, length, KV_HEADS, HEAD).transpose(1, 2)
        group = HEADS // KV_HEADS
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(a.transpose(1, 2).reshape(rows, length, WIDTH))
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(torch.nn.Module):
    """Token ids (rows, length) to logits (rows, length, VOCAB); the head is the embedding."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(VOCAB, WIDTH)
        self.layers = torch.nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = Norm()
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                scale = 0.02 / math.sqrt(2 * LAYERS) if name.endswith(("o.weight", "down.weight")) else 0.02
                torch.nn.init.normal_(weight, std=scale)
        angles = torch.outer(torch.arange(CONTEXT), ROPE_BASE ** (-torch.arange(0, HEAD, 2) / HEAD))
        self.register_buffer("cos", torch.cat([angles.cos()] * 2, -1), persistent=False)
        self.register_buffer("sin", torch.cat([angles.sin()] * 2, -1), persistent=False)

    def forward(self, ids):
        length = ids.shape[1]
        cos, sin = self.cos[:length], self.sin[:length]

        def turn(x):
            first, second = x.chunk(2, -1)
            return (x * cos + torch.cat([-second, first], -1) * sin).to(x.dtype)

        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, turn)
        return self.norm(x) @ self.embed.weight.T


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal by Newton-Schulz steps, for matrices (Jordan et al. 2024, kellerjordan.github.io/posts/muon)."""

    def __init__(self, parameters, lr, momentum=0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(state["momentum"], group["momentum"])
                size = max(1, weight.shape[0] / weight.shape[1]) ** 0.5
                weight.add_(orthogonal(ahead), alpha=-group["lr"] * size)


def orthogonal(matrix, steps=5):
    """The nearest orthogonal matrix, roughly: singular values end between 0.7 and 1.2."""
    x = matrix.bfloat16()
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.T if matrix.shape[0] > matrix.shape[1] else x).to(matrix.dtype)


def tokenizer(text, out):
    """Byte-level BPE as gpt-2's, trained on the training text only."""
    path = out / "hf/tokenizer.json"
    if not path.exists():
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCAB, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
        bpe.train([str(text / "train.txt")], trainer)
        path.parent.mkdir(parents=True, exist_ok=True)
        bpe.save(str(path))
    return Tokenizer.from_file(str(path))


def ids_of(bpe, path):
    """Pages one after the other, each ended by the end-of-text token."""
    pages = [page for page in path.read_text(encoding="utf-8").split("\n\n\n") if page.strip()]
    end = bpe.token_to_id("<|endoftext|>")
    ids = [token for encoding in bpe.encode_batch(pages) for token in encoding.ids + [end]]
    return torch.tensor(ids, dtype=torch.long)


def loss_of(model, windows):
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(windows[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())


@torch.no_grad()
def held_out_loss(model, ids, windows=64):
    """Nats per token over the first windows of the held-out text."""
    parts = ids[: windows * (CONTEXT + 1)].view(windows, CONTEXT + 1).split(MICRO)
    return sum(loss_of(model, part).item() * len(part) for part in parts) / windows


def rate(step):
    """Share of the full rate: up over WARM_UP steps, level, down to 0 over the last COOL_DOWN of all."""
    return min(1.0, (step + 1) / WARM_UP, (STEPS - step) / (COOL_DOWN * STEPS))


def save_hf(model, out):
    """The layout of Hugging Face's LlamaForCausalLM, weights in F16."""
    names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "gate": "mlp.gate_proj",
             "up": "mlp.up_proj", "down": "mlp.down_proj", **{x: f"self_attn.{x}_proj" for x in "qkvo"}}
    tensors = {"model.embed_tokens.weight": model.embed.weight, "model.norm.weight": model.norm.weight}
    for i, layer in enumerate(model.layers):
        for name, target in names.items():
            tensors[f"model.layers.{i}.{target}.weight"] = getattr(layer, name).weight
    save_file({name: weight.detach().to(torch.float16).contiguous() for name, weight in tensors.items()},
              out / "hf/model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCAB, "hidden_size": WIDTH,
        "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "head_dim": HEAD, "hidden_act": "silu", "max_position_embeddings": CONTEXT,
        "rms_norm_eps": EPSILON, "rope_theta": ROPE_BASE, "tie_word_embeddings": True, "torch_dtype": "float16",
        "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 0,
    }
    (out / "hf/config.json").write_text(json.dumps(config, indent=1) + "\n")


@torch.no_grad()
def sample(model, bpe, prompt, tokens=120, temperature=0.7):
    """What the model goes on with."""
    ids = bpe.encode(prompt).ids
    draw = torch.Generator().manual_seed(SEED)
    for _ in range(tokens):
        logits = model(torch.tensor([ids]))[0, -1]
        ids.append(torch.multinomial((logits / temperature).softmax(-1), 1, generator=draw).item())
    return bpe.decode(ids)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("text", type=pathlib.Path)
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--hours", type=float, default=2.0)
    arguments = arguments.parse_args()
    text, out = arguments.text, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    bpe = tokenizer(text, out)
    train, heldout = ids_of(bpe, text / "train.txt"), ids_of(bpe, text / "heldout.txt")
    torch.manual_seed(SEED)
    model = Llama()
    matrices = [weight for layer in model.layers for weight in layer.parameters() if weight.dim() == 2]
    norms = [weight for weight in model.parameters() if weight.dim() != 2]
    optimizers = [
        Muon(matrices, lr=MATRIX_RATE),
        torch.optim.AdamW(
            [{"params": [model.embed.weight], "weight_decay": DECAY}, {"params": norms, "weight_decay": 0.0}],
            lr=RATE, betas=(0.9, 0.95),
        ),
    ]
    windows = (len(train) - 1) // CONTEXT
    per_epoch = windows // BATCH
    step, spent = 0, 0.0
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        step, spent = state["step"], state["spent"]
    count = sum(weight.numel() for weight in model.parameters())
    print(f"{count} parameters, {len(train)} tokens to train on, {len(heldout)} held out, {STEPS} steps, from {step}", flush=True)
    log = open(out / "loss.csv", "a", newline="")
    rows = csv.writer(log)
    if step == 0:
        rows.writerow(["step", "tokens", "train_nats_per_token", "heldout_nats_per_token", "seconds"])
    started, mean = time.monotonic(), 0.0
    while step < STEPS and spent + time.monotonic() - started < arguments.hours * 3600:
        order = torch.randperm(windows, generator=torch.Generator().manual_seed(SEED + step // per_epoch))
        chosen = order[(step % per_epoch) * BATCH :][:BATCH]
        batch = torch.stack([train[i * CONTEXT : i * CONTEXT + CONTEXT + 1] for i in chosen.tolist()])
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = optimizer.defaults["lr"] * rate(step)
        total = 0.0
        for part in batch.split(MICRO):
            loss = loss_of(model, part) * len(part) / BATCH
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step, mean = step + 1, mean + total
        if step % EVERY == 0:
            seconds = spent + time.monotonic() - started
            row = [step, step * BATCH * CONTEXT, f"{mean / EVERY:.4f}", f"{held_out_loss(model, heldout):.4f}", f"{seconds:.0f}"]
            mean = 0.0
            rows.writerow(row)
            log.flush()
            print(*row, flush=True)
            state = {"model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers], "step": step, "spent": seconds}
            torch.save(state, out / "checkpoint.new")
            (out / "checkpoint.new").replace(checkpoint)
    save_hf(model, out)
    (out / "sample.txt").write_text("\n\n---\n\n".join(sample(model, bpe, prompt) for prompt in PROMPTS) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
