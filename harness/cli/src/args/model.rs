//! Flags of `yardstick model`: one variant an action. Parses and decides nothing.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Programs, Prune, threads};

/// What to do with models.
#[derive(Subcommand)]
pub(crate) enum ModelAction {
    /// Write presets of real size into the cache: preset:quantisations
    Make {
        /// smollm-135m:Q4_0,Q8_0 ...
        #[arg(required = true)]
        models: Vec<String>,
        /// Threads [default: every core]
        #[arg(long, value_parser = threads)]
        threads: Option<usize>,
        /// Compute the hash only, write nothing
        #[arg(long)]
        hash_only: bool,
        /// Hash files already in the cache and compare them with the manifest
        #[arg(long, conflicts_with = "hash_only")]
        check: bool,
    },
    /// List the presets, their quantisations and sizes
    List {
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Describe a model file: hyper-parameters, metadata, tensors
    Inspect {
        /// A file or preset:quantisation
        model: String,
        /// Read every block's scale and count those that are NaN or infinite
        #[arg(long)]
        scan: bool,
        /// JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Quantise a model file, and say per tensor how far the result is from the source
    Quantize {
        /// The source
        input: PathBuf,
        /// The result; the folder of the results where several types are asked for
        output: PathBuf,
        /// Q4_0, Q4_K_M, ...
        #[arg(required_unless_present = "types", conflicts_with = "types")]
        quantisation: Option<String>,
        /// One or several of them: Q4_K_M,Q8_0
        #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
        types: Vec<String>,
        /// best: search the least error; fast: what presets are written with
        #[arg(long, default_value = "best", value_parser = ["fast", "best"])]
        effort: String,
        /// Importance matrix, as model imatrix or llama.cpp's imatrix writes it (GGUF, or the older .dat)
        #[arg(long, value_name = "FILE")]
        imatrix: Option<PathBuf>,
        /// Threads [default: every core]
        #[arg(long, value_parser = threads)]
        threads: Option<usize>,
        /// Accept a source that is already quantised (loses more)
        #[arg(long)]
        allow_requantize: bool,
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Measure which columns of a model matter: squared activations over a text, for quantize --imatrix
    Imatrix {
        /// A file or preset:quantisation; run by the reference
        model: String,
        /// A text, tokenized by the model's own tokenizer
        #[arg(long, value_name = "FILE", required_unless_present = "ids_file")]
        text: Option<PathBuf>,
        /// Token ids instead, separated by spaces or commas
        #[arg(long, value_name = "FILE", conflicts_with = "text")]
        ids_file: Option<PathBuf>,
        /// Where to write (GGUF, in llama.cpp's form)
        #[arg(long)]
        out: PathBuf,
        /// Tokens of a chunk; each chunk is a text of its own
        #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65_536))]
        chunk: u32,
        /// Chunks to run [default: all]
        #[arg(long)]
        chunks: Option<usize>,
        /// Threads [default: every core]
        #[arg(long, value_parser = threads)]
        threads: Option<usize>,
    },
    /// Convert a checkpoint (config.json and safetensors, as on Hugging Face; AWQ, GPTQ and NF4 too) to a GGUF file
    Convert {
        /// Its folder
        folder: PathBuf,
        /// The result
        output: PathBuf,
        /// F32, F16, BF16, or a quantisation, chosen fast (model quantize searches) [default: as most weights are stored]
        #[arg(long, value_name = "TYPE")]
        r#type: Option<String>,
        /// A LoRA adapter to merge: PEFT's folder or a GGUF file
        #[arg(long, value_name = "PATH")]
        lora: Option<PathBuf>,
        /// Threads [default: every core]
        #[arg(long, value_parser = threads)]
        threads: Option<usize>,
    },
    /// Remove layers, heads or feed-forward channels, or set the smallest weights to zero
    Prune(Prune),
    /// Print the token ids of a text
    Tokenize {
        /// A file with a tokenizer
        model: String,
        /// The text; bytes that are not UTF-8 are kept. `-` is standard input
        #[arg(long, value_name = "FILE")]
        text_file: PathBuf,
        /// Add no begin and no end of text, even where the file asks for them
        #[arg(long)]
        no_bos: bool,
        /// Read control tokens written in the text (<|im_start|>) as such
        #[arg(long)]
        special: bool,
        /// JSON with the bytes of every token instead of a line of ids
        #[arg(long)]
        json: bool,
    },
    /// Print the bytes that token ids stand for
    Detokenize {
        /// A file with a tokenizer
        model: String,
        /// Token ids
        #[arg(
            long,
            value_delimiter = ',',
            required_unless_present = "ids_file",
            conflicts_with = "ids_file"
        )]
        ids: Vec<u32>,
        /// A file of token ids; `-` is standard input
        #[arg(long, value_name = "FILE")]
        ids_file: Option<PathBuf>,
        /// Print the names of control tokens too
        #[arg(long)]
        special: bool,
    },
    /// Write the logits of every position, little-endian f32, (tokens, vocab)
    Logits {
        /// A file or preset:quantisation
        model: String,
        /// Device id
        #[arg(long, default_value = "reference")]
        device: String,
        /// Token ids
        #[arg(long, value_delimiter = ',', required = true)]
        tokens: Vec<u32>,
        /// Where to write
        #[arg(long)]
        out: PathBuf,
        /// One token at a time instead of one batch
        #[arg(long)]
        step: bool,
        /// Key and value storage
        #[arg(long, default_value = "f32")]
        kv: String,
        /// Numerics class [default: the device's own]
        #[arg(long)]
        numerics: Option<String>,
        /// Threads [default: every core]
        #[arg(long, value_parser = threads)]
        threads: Option<usize>,
        #[command(flatten)]
        programs: Programs,
    },
}
