"""Run all lessons, one after another: pictures and what they print go to a folder.

    python examples/course/run.py out/course
    python examples/course/run.py out/course --quick
    python examples/course/run.py out/course --only 3 5

Exit code 1 if a lesson fails; the others run all the same.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tqdm import tqdm

FOLDER = Path(__file__).resolve().parent


def main():
    """Run the lessons and return the exit code."""
    parser = argparse.ArgumentParser(description="Run all lessons of the course")
    parser.add_argument("out", nargs="?", type=Path, default=Path("out", "course"), help="folder for pictures and output")
    parser.add_argument("--data", metavar="DIR", help="folder with the MNIST files (default: $FASTNN_DATA) and other data")
    parser.add_argument("--quick", action="store_true", help="reduced runs")
    parser.add_argument("--only", nargs="+", type=int, metavar="N", help="numbers of lessons")
    arguments = parser.parse_args()
    scripts = {int(path.stem[:2]): path for path in sorted(FOLDER.glob("[0-9]*.py"))}
    if unknown := set(arguments.only or ()) - set(scripts):
        parser.error(f"argument --only: expected numbers of lessons, {min(scripts)} to {max(scripts)}, got {min(unknown)}")
    scripts = [path for number, path in scripts.items() if not arguments.only or number in arguments.only]
    options = (["--data", arguments.data] if arguments.data else []) + (["--quick"] if arguments.quick else [])
    arguments.out.mkdir(parents=True, exist_ok=True)

    failed = []
    with tqdm(scripts, unit="lesson", dynamic_ncols=True) as bar:
        for script in bar:
            bar.set_description(script.stem)
            start = time.perf_counter()
            done = subprocess.run([sys.executable, script, arguments.out, *options], capture_output=True, text=True)
            seconds = time.perf_counter() - start
            (arguments.out / f"{script.stem}.txt").write_text(done.stdout)
            bar.write(f"{script.stem:32s} {seconds:6.1f} s{'' if done.returncode == 0 else '   FAILED'}")
            if done.returncode != 0:
                failed.append(script.stem)
                bar.write(done.stderr)
    print(f"output and pictures are in {arguments.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
