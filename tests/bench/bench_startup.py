"""Cold start: whole processes, the command against ``import torch``.

    python tests/bench/bench_startup.py [--rounds 5]

``musae interpolate`` must take at most 1.3 times ``python -c "import torch"`` plus one second. The
commands take turns, so that drift of the machine hits all alike; medians are printed.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIDI = Path(__file__).resolve().parents[2] / "data" / "midi"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    tunes = [str(MIDI / "ode_to_joy.mid"), str(MIDI / "yankee_doodle.mid")]
    with tempfile.TemporaryDirectory() as folder:
        musae = [sys.executable, "-m", "musae"]
        commands = {
            "import torch": [sys.executable, "-c", "import torch"],
            "musae interpolate": [
                *musae,
                "interpolate",
                *tunes,
                "-o",
                f"{folder}/x.mid",
                "--overwrite",
            ],
            "musae --help": [*musae, "--help"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                if number:  # the first round warms the disk cache
                    seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:20} {median:6.2f} s   ({min(seconds[name]):.2f} to {max(seconds[name]):.2f})")
    limit = 1.3 * medians["import torch"] + 1
    print(
        f"limit for interpolate {limit:.2f} s: "
        f"{'kept' if medians['musae interpolate'] <= limit else 'exceeded'}"
    )


if __name__ == "__main__":
    main()
