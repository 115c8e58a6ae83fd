"""Files per second of ``musae prepare``, as a whole process.

    python tests/bench/bench_prepare.py FOLDER_OR_ZIP [--rounds 5] [--workers 2]

Magenta's pipeline, measured on the Nottingham corpus and the same two cores: 118 to 124 files/s.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", default="2")
    options = parser.parse_args()
    speeds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            verb = [
                "prepare",
                options.source,
                "-o",
                f"{folder}/c",
                "--workers",
                options.workers,
                "--json",
                "-q",
            ]
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "musae", *verb], check=True, capture_output=True, text=True
            )
            seconds = time.perf_counter() - start
            speeds.append(json.loads(done.stdout)["files"] / seconds)
    print(
        f"{statistics.median(speeds):.0f} files/s, median of {len(speeds)} ({min(speeds):.0f} to "
        f"{max(speeds):.0f})"
    )


if __name__ == "__main__":
    main()
