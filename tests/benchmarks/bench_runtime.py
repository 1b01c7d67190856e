"""`python tests/benchmarks/bench_runtime.py`: the figures of `egret bench runtime`. Not a test: nothing is judged by the clock."""

from app.bench.runtime import readable, run

if __name__ == "__main__":
    print("\n".join(readable(run())))
