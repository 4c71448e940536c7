"""Reads the header of a GGUF file: its key/values and what its tensors take. Weights are not touched.

For a worker's `plan`, which may not open the model in its engine. Standard library only.
"""

import struct

from worker import Fault

# GGUF's value types: their struct codes; 8 is a string, 9 an array.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# ggml's tensor types: name, weights a block, bytes a block.
FORMATS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
}
MOST = 1 << 24  # elements of anything in a header
LAYERS = 4096  # the longest array that is kept


class Header:
    """`keys`: every key/value; of arrays, those of numbers a layer as a list, others as their length.
    `tensors`: name -> (format, bytes)."""

    def __init__(self, path):
        try:
            with open(path, "rb") as file:
                self.read(file)
        except OSError as error:
            raise Fault("model", f"{path}: {error.strerror}") from error
        except (struct.error, UnicodeDecodeError, ValueError) as error:
            raise Fault("model", f"{path}: not a GGUF header: {error}") from error

    def read(self, file):
        magic, version, tensors, pairs = self.take(file, "4sIQQ")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"magic {magic!r}, version {version}")
        self.keys = {}
        for _ in range(limit(pairs)):
            key = self.string(file)
            self.keys[key] = self.value(file, *self.take(file, "I"))
        self.tensors = dict(self.tensor(file) for _ in range(limit(tensors)))

    def get(self, suffix, default=None):
        """A key of the file's architecture."""
        return self.keys.get(f"{self.keys.get('general.architecture')}.{suffix}", default)

    @property
    def vocab(self):
        """Tokens the model knows."""
        return self.get("vocab_size") or self.keys.get("tokenizer.ggml.tokens") or 0

    @property
    def weight_bytes(self):
        """Bytes of all tensors."""
        return sum(size for _, size in self.tensors.values())

    @property
    def streamed_bytes(self):
        """Bytes of weights that one decode step reads: all, but the embedding only where it is the head too. Every
        expert counts."""
        tied = "output.weight" not in self.tensors
        return sum(size for name, (_, size) in self.tensors.items() if name != "token_embd.weight" or tied)

    def kv_bytes(self, element_bytes):
        """Bytes of keys and values a position of one sequence takes, over all layers."""
        layers, heads = self.get("block_count", 0), self.get("attention.head_count", 1)
        kv_heads = self.get("attention.head_count_kv", heads)
        heads = max(heads) if isinstance(heads, list) else heads
        kv_heads = sum(kv_heads) if isinstance(kv_heads, list) else kv_heads * layers
        width = self.get("embedding_length", 0) // max(heads, 1)
        key, value = self.get("attention.key_length", width), self.get("attention.value_length", width)
        return kv_heads * (key + value) * element_bytes

    def take(self, file, codes):
        return struct.unpack("<" + codes, file.read(struct.calcsize("<" + codes)))

    def string(self, file):
        (length,) = self.take(file, "Q")
        return file.read(limit(length)).decode("utf-8", "replace")

    def value(self, file, kind):
        if kind == 8:
            return self.string(file)
        if kind == 9:
            element, length = self.take(file, "IQ")
            if element in SCALARS and length <= LAYERS:
                return list(self.take(file, f"{length}{SCALARS[element]}"))
            if element in SCALARS:
                file.seek(struct.calcsize("<" + SCALARS[element]) * limit(length), 1)
            else:
                for _ in range(limit(length)):
                    self.value(file, element)
            return length
        if kind not in SCALARS:
            raise ValueError(f"value type {kind} is not known")
        return self.take(file, SCALARS[kind])[0]

    def tensor(self, file):
        name = self.string(file)
        (dimensions,) = self.take(file, "I")
        shape = self.take(file, f"{limit(dimensions, 8)}Q")
        kind, _offset = self.take(file, "IQ")
        if kind not in FORMATS:
            raise ValueError(f"tensor {name} has type {kind}, which is not known")
        elements = 1
        for extent in shape:
            elements *= extent
        label, block, size = FORMATS[kind]
        return name, (label, elements // block * size)


def limit(count, most=MOST):
    """A count that a lying header cannot blow up."""
    if count > most:
        raise ValueError(f"a count of {count} is above {most}")
    return count
