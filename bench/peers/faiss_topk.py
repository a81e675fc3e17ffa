"""Exact top-10 by inner product with FAISS' flat index, timed. See measure.py for arguments; the batch is the number of queries."""
import os
import faiss, numpy as np
from measure import arguments, benchmark

WIDTH, BEST = 768, 10
SIZES = dict(full=1_000_000, medium=100_000, tiny=10_000)
BLOCK = 50_000


def unit_rows(rng, count):
    x = rng.standard_normal((count, WIDTH), dtype=np.float32)
    faiss.normalize_L2(x)
    return x


def main():
    a = arguments(SIZES, batch=300)
    rng, count = np.random.default_rng(0), SIZES[a.size]
    queries, index = unit_rows(rng, a.batch), faiss.IndexFlatIP(WIDTH)
    # Written into the index in place: add() of the whole gallery would hold it twice at the peak.
    index.codes.resize(count * WIDTH * 4)
    index.ntotal = count
    rows = faiss.rev_swig_ptr(index.get_xb(), count * WIDTH).reshape(count, WIDTH)
    for at in range(0, count, BLOCK):
        rows[at:at + BLOCK] = unit_rows(rng, min(BLOCK, count - at))
    benchmark(a, lambda: float(index.search(queries, BEST)[0].sum()), parameters=count * WIDTH,
              version=faiss.__version__, threads=faiss.omp_get_max_threads())


if __name__ == "__main__":
    main()
