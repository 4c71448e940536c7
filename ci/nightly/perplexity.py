"""Perplexity of a text by llama.cpp alone, as its `perplexity` computes it: for ci/nightly/perplexity.sh.

usage: perplexity.py MODEL TEXT WINDOW MOST   prints the perplexity over at most MOST windows of WINDOW tokens
Its own tokenizer, its own windows, numpy's arithmetic: nothing of Yardstick takes part.
"""
import os
import sys

import llama_cpp
import numpy


def main(model, text, window, most):
    llama = llama_cpp.Llama(model, n_ctx=window, n_batch=window, logits_all=True, verbose=False)
    # The beginning of text where the model wants one, as perplexity.cpp: of the text, then of every window.
    tokens = llama.tokenize(open(text, "rb").read(), add_bos=True, special=False)
    begin = tokens[0] if tokens[0] == llama.token_bos() else None
    nll, count = 0.0, 0
    for start in range(0, min(len(tokens) // window, most) * window, window):
        part = tokens[start:start + window]
        if begin is not None:
            part[0] = begin
        llama.reset()
        llama.eval(part)
        rows = numpy.asarray(llama.scores[window // 2:window - 1], dtype=numpy.float64)
        wanted = rows[numpy.arange(len(rows)), part[window // 2 + 1:]]
        top = rows.max(axis=1)
        nll += float(numpy.sum(top + numpy.log(numpy.exp(rows - top[:, None]).sum(axis=1)) - wanted))
        count += len(rows)
    print(numpy.exp(nll / count))


if __name__ == "__main__":
    main(os.fspath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
