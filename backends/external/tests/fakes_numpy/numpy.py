"""Stands in for numpy where there is none: what llama_cpp.py uses of it."""

float32 = "f"


class Row(list):
    def argmax(self):
        return max(range(len(self)), key=lambda i: (self[i] != self[i], self[i], -i))


def frombuffer(buffer, dtype):
    assert dtype == float32
    return Row(buffer)


def nanargmax(row):
    return max((i for i in range(len(row)) if row[i] == row[i]), key=lambda i: (row[i], -i))
