"""Writes tiny models with random weights as Hugging Face's transformers saves them, and the logits it computes.

usage: make.py FOLDER [NAME...]      needs torch, transformers, tokenizers, sentencepiece and peft (any recent versions)

FOLDER/NAME/ gets config.json, safetensors and some a tokenizer; lora/ an adapter where there is one; tokens.json the
prompt; logits.f32 the logits of every position, (tokens, vocab), little-endian f32; texts.json pairs of a text and its
ids. Nothing is downloaded. tests/converted.rs of `reference` holds the converter against them.
"""

import io
import json
import sys
from pathlib import Path

import sentencepiece
import tokenizers as tk
import torch
import transformers as hf
from peft import LoraConfig, get_peft_model

TOKENS = [(i * 37 + 11) % 96 for i in range(40)]

SMALL = dict(
    vocab_size=96,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)


def rope(**scaling):
    return dict(rope_parameters=dict(dict(rope_theta=10000.0), **scaling))


LLAMA3 = rope(
    rope_theta=500000.0,
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
LONG = rope(
    rope_type="longrope",
    short_factor=[1.0 + i / 16 for i in range(8)],
    long_factor=[1.5 + i / 4 for i in range(8)],
    original_max_position_embeddings=64,
)
MOE = dict(num_experts=4, num_experts_per_tok=2)

# name: (configuration class, its arguments beyond SMALL, how it is saved)
MODELS = {
    "llama": (hf.LlamaConfig, dict(tie_word_embeddings=True), {}),
    "llama-untied-bias": (hf.LlamaConfig, dict(attention_bias=True, mlp_bias=True), dict(shards=True)),
    "llama3-rope": (hf.LlamaConfig, LLAMA3, dict(dtype=torch.bfloat16)),
    "llama-linear": (hf.LlamaConfig, rope(rope_type="linear", factor=4.0), {}),
    "llama-head-dim": (hf.LlamaConfig, dict(head_dim=24), dict(dtype=torch.float16)),
    "mistral": (hf.MistralConfig, dict(sliding_window=None), {}),
    "mistral-window": (hf.MistralConfig, dict(sliding_window=16), {}),
    "mixtral": (hf.MixtralConfig, dict(num_local_experts=4, num_experts_per_tok=2, sliding_window=None), {}),
    "qwen2": (hf.Qwen2Config, dict(tie_word_embeddings=True), {}),
    "qwen2-yarn": (
        hf.Qwen2Config,
        rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=64),
        {},
    ),
    "qwen3": (hf.Qwen3Config, dict(head_dim=32), {}),
    "qwen3moe": (
        hf.Qwen3MoeConfig,
        dict(MOE, moe_intermediate_size=48, norm_topk_prob=True, head_dim=32, decoder_sparse_step=1, mlp_only_layers=[]),
        {},
    ),
    "gemma2": (
        hf.Gemma2Config,
        dict(head_dim=24, sliding_window=16, query_pre_attn_scalar=24, num_hidden_layers=4),
        {},
    ),
    "gemma3": (
        hf.Gemma3TextConfig,
        dict(head_dim=24, sliding_window=16, query_pre_attn_scalar=24, num_hidden_layers=7),
        {},
    ),
    "phi3": (hf.Phi3Config, dict(sliding_window=None), {}),
    "phi3-longer": (hf.Phi3Config, dict(LONG, original_max_position_embeddings=32, sliding_window=None), {}),
    "phi3-partial": (hf.Phi3Config, dict(rope(partial_rotary_factor=0.75), sliding_window=None), {}),
    "phi3-long": (hf.Phi3Config, dict(LONG, original_max_position_embeddings=64, sliding_window=None), {}),
    "stablelm": (hf.StableLmConfig, rope(partial_rotary_factor=0.5), {}),
    "stablelm-bias": (hf.StableLmConfig, dict(rope(partial_rotary_factor=0.25), use_qkv_bias=True), {}),
    "stablelm-parallel": (
        hf.StableLmConfig,
        dict(rope(partial_rotary_factor=0.25), use_parallel_residual=True, qk_layernorm=True),
        {},
    ),
    "gpt2": (
        hf.GPT2Config,
        dict(vocab_size=96, n_positions=128, n_embd=64, n_layer=3, n_head=4, bos_token_id=1, eos_token_id=2),
        {},
    ),
    "granite": (
        hf.GraniteConfig,
        dict(embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.0625, logits_scaling=8.0),
        {},
    ),
    "smollm3": (hf.SmolLM3Config, dict(num_hidden_layers=5, tie_word_embeddings=True), {}),
    "olmoe": (hf.OlmoeConfig, dict(MOE, norm_topk_prob=False), {}),
}


LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LORA = dict(r=4, lora_alpha=10, target_modules=["q_proj", "v_proj", "down_proj"])

# Tokenizers, and adapters, of models that are there for them.
MODELS.update(
    {
        "text-llama-bpe": (hf.LlamaConfig, dict(vocab_size=400), dict(text="llama-bpe")),
        "text-qwen2": (hf.Qwen2Config, dict(vocab_size=400), dict(text="qwen2")),
        "text-gpt-2": (hf.LlamaConfig, dict(vocab_size=400), dict(text="gpt-2")),
        "text-smollm": (hf.LlamaConfig, dict(vocab_size=400), dict(text="smollm")),
        "text-spm": (hf.LlamaConfig, dict(vocab_size=420), dict(text="spm")),
        "lora": (hf.LlamaConfig, {}, dict(lora=LORA)),
        "lora-rslora-qwen3": (hf.Qwen3Config, {}, dict(lora=dict(LORA, use_rslora=True))),
        "lora-gpt2": (
            hf.GPT2Config,
            MODELS["gpt2"][1],
            dict(lora=dict(LORA, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)),
        ),
    }
)

TEXTS = [
    "Hello world",
    "  The quick brown fox's 12345 jumps, over 3.14159 lazy dogs!\n\n\tAnd it's done.  ",
    "naïve café — 漢字 🙂🙂 \r\n x=1;y==22",
    "<|begin|>The fox<|end|> the",
]
CORPUS = [" ".join(TEXTS[:3]), "the fox jumps over the lazy dog's quick brown 123 fox", Path(__file__).read_text()] * 20


def byte_level(kind, vocab):
    """A byte-level tokenizer trained on a few lines."""
    tokenizer = tk.Tokenizer(tk.models.BPE(ignore_merges=kind == "llama-bpe"))
    words = {"llama-bpe": LLAMA3_WORDS, "qwen2": LLAMA3_WORDS.replace("{1,3}", "")}.get(kind)
    split, digits = tk.pre_tokenizers.Split, tk.pre_tokenizers.Digits(individual_digits=True)
    steps = [split(tk.Regex(words), "isolated")] if words else [digits] if kind == "smollm" else []
    level = tk.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not words)
    tokenizer.pre_tokenizer = tk.pre_tokenizers.Sequence(steps + [level]) if steps else level
    tokenizer.decoder = tk.decoders.ByteLevel()
    alphabet = tk.pre_tokenizers.ByteLevel.alphabet()
    special = ["<|pad|>", "<|begin|>", "<|end|>"]
    trainer = tk.trainers.BpeTrainer(vocab_size=vocab - 5, initial_alphabet=alphabet, special_tokens=special)
    tokenizer.train_from_iterator(CORPUS, trainer)
    if kind == "llama-bpe":
        template = dict(single="<|begin|> $A", special_tokens=[("<|begin|>", 1)])
        tokenizer.post_processor = tk.processors.TemplateProcessing(**template)
    return tokenizer


def sentence_piece(vocab):
    """A SentencePiece BPE with byte tokens, as Llama 2's."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=vocab, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98, minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def write_text(out, kind, vocab):
    if kind == "spm":
        model = sentence_piece(vocab)
        (out / "tokenizer.model").write_bytes(model)
        spm = sentencepiece.SentencePieceProcessor(model_proto=model)
        texts = [(text, [spm.bos_id()] + spm.encode(text)) for text in TEXTS[:3]]
    else:
        tokenizer = byte_level(kind, vocab)
        tokenizer.save(str(out / "tokenizer.json"))
        texts = [(text, tokenizer.encode(text).ids) for text in TEXTS]
    (out / "texts.json").write_text(json.dumps(texts))


def randomise(model):
    """Norms that are not one, biases that are not zero: a forgotten tensor shows."""
    for name, p in model.named_parameters():
        if p.dim() == 1:
            p.data += 0.2 * torch.randn_like(p)
        else:
            p.data = torch.randn_like(p) * (1.0 / p.shape[-1]) ** 0.5


def make(folder, name):
    kind, more, how = MODELS[name]
    small = {} if kind is hf.GPT2Config else SMALL
    config = kind(**dict(small, **more), attn_implementation="eager")
    torch.manual_seed(7)
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval().float()
    randomise(model)
    dtype = how.get("dtype", torch.float32)
    model.to(dtype)
    model.config.dtype = dtype
    out = folder / name
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out, max_shard_size="60KB" if how.get("shards") else "5GB")
    # What was saved, computed in f32; casting the model itself would keep rounded frequencies.
    model = hf.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="eager").eval()
    if "text" in how:
        write_text(out, how["text"], more["vocab_size"])
    if "lora" in how:
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **how["lora"]))
        model.save_pretrained(out / "lora")
        model.eval()
    with torch.no_grad():
        logits = model(torch.tensor([TOKENS]), use_cache=False).logits[0]
    (out / "tokens.json").write_text(json.dumps(TOKENS))
    (out / "logits.f32").write_bytes(logits.contiguous().numpy().astype("<f4").tobytes())
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters", flush=True)


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        make(folder, name)


main()
