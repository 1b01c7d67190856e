"""`python tests/benchmarks/bench_pipeline.py`: the figures of `egret bench pipeline`. Not a test: nothing is judged by the clock."""

from app.bench.pipeline import run
from app.commands.bench import readable

if __name__ == "__main__":
    print("\n".join(readable(run())))
