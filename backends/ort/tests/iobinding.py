"""Decodes with a graph that this backend made, driven by ONNX Runtime's own Python API with IoBinding: what a driver costs at most.

usage: iobinding.py GRAPH TOKENS THREADS    prints nanoseconds a token, one line a repetition
"""

import sys
import time

import numpy
import onnxruntime

REPETITIONS = 5
TYPES = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16, "tensor(int64)": numpy.int64, "tensor(int32)": numpy.int32}


def start(graph, threads):
    """The session, with what our driver sets."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def bind(session):
    """Every input and output in memory of its own; keys and values are both, in place."""
    binding, values = session.io_binding(), {}
    noise = numpy.random.default_rng(1)
    for given in session.get_inputs():
        shape = [1 if isinstance(size, str) else size for size in given.shape]
        if given.name == "stream":
            array = noise.standard_normal(shape).astype(numpy.float32)
        else:
            array = numpy.zeros(shape, TYPES[given.type])
        if given.name.startswith("cos"):
            array[:] = 1
        values[given.name] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
        binding.bind_ortvalue_input(given.name, values[given.name])
    for made in session.get_outputs():
        if made.name.startswith("present"):
            binding.bind_ortvalue_output(made.name, values[made.name.replace("present", "past")])
        else:
            shape = [1 if isinstance(size, str) else size for size in made.shape]
            values[made.name] = onnxruntime.OrtValue.ortvalue_from_numpy(numpy.zeros(shape, TYPES[made.type]))
            binding.bind_ortvalue_output(made.name, values[made.name])
    return binding, values


def generate(session, binding, values, tokens):
    """One repetition: a token after another, each the best of the one before; what the graph is given of it does not matter here."""
    for position in range(tokens):
        values["seqlens"].update_inplace(numpy.array([position], numpy.int32))
        values["total"].update_inplace(numpy.array(position + 1, numpy.int32))
        if "positions" in values:
            values["positions"].update_inplace(numpy.array([[position]], numpy.int64))
        session.run_with_iobinding(binding)
        logits = values["logits"].numpy()
        int(logits.argmax())


def main():
    graph, tokens, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    session = start(graph, threads)
    binding, values = bind(session)
    generate(session, binding, values, tokens)
    for _ in range(REPETITIONS):
        begun = time.perf_counter_ns()
        generate(session, binding, values, tokens)
        print((time.perf_counter_ns() - begun) / tokens, flush=True)


if __name__ == "__main__":
    main()
