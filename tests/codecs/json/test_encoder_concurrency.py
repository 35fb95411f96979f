"""Encoding in several threads: results do not mix, and the GIL is released for large tensors."""

import threading

import numpy as np
import pytest

from tests.support.encoding import ENCODER, encode, parse
from tests.support.gil import lets_others_run


def test_threads_write_their_own_results():
    wrong = []

    def work(number):
        for size in (1, 10, 100, 20_000) * 10:
            result = parse(encode([np.full(size, number), str(number)]))
            if result[0]["value"] != [number] * size or result[1]["value"] != str(number):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("data_type", ["int64", "float32", "float64"])
def test_large_tensors_are_encoded_side_by_side(data_type):
    tensor = np.arange(3_000_000, dtype=data_type)
    assert lets_others_run(lambda _: ENCODER.encode(tensor))
