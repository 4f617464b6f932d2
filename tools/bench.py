#!/usr/bin/env python3
"""Run the benchmarks in asv_bench/ and compare commits: what ``make bench`` and its kin call. See docs/benchmarks.md.

    python tools/bench.py run                          the commit that is checked out, in the Python that runs this
    python tools/bench.py quick                        the same for some cases, in less than five minutes
    python tools/bench.py history main~5..main         commits of a range, in environments that asv builds
    python tools/bench.py compare main --factor 1.15   exit code 1 if something is slower than where this branch left main
    python tools/bench.py share                        merge results with those of others, on a branch of their own

Results go to asv_bench/results/MACHINE/COMMIT-ENVIRONMENT.json. The machine's name is the host's, or that of --machine; what
asv wants to know of it is found out, not asked for. Errors have exit code 2, as has a run in which a benchmark failed; exit
code 1 says that something is slower, and nothing else.
"""

import argparse
import math
import re
import sys
import traceback

import _asv
import _git
from _asv import each


def run(arguments):
    """Benchmarks of the commit that is checked out, in this Python."""
    _asv.expect_benchmarks(arguments.bench)
    commit = _git.commit_of("HEAD")
    changed = _git.uncommitted() or _asv.installed_elsewhere()
    if changed:
        print(f"{', '.join(changed)}: not as in commit {commit[:8]}, so results are shown and not kept", file=sys.stderr)
    machine = _asv.machine_name(arguments.machine)
    options = ["--environment", "current", "--set-commit-hash", commit, "--machine", machine, "--show-stderr"]
    code = _asv.asv("run", *options, *each("--bench", arguments.bench), *(["--dry-run"] if changed else []))
    if code != 1 and not changed:
        note_versions(machine, commit)
    return 2 if code else 0


def note_versions(machine, commit):
    """Keep the versions of packages beside the results: asv does not."""
    sys.path.insert(0, str(_asv.ROOT))
    from asv_bench.dashboard import versions

    versions.record(_asv.RESULTS, machine, commit)


def quick(arguments):
    """The same for a choice of benchmarks."""
    sys.path.insert(0, str(_asv.SUITE))
    from benchmarks._quick import BENCHMARKS

    arguments.bench = arguments.bench or BENCHMARKS
    return run(arguments)


def history(arguments):
    """Benchmarks of the commits in a range, each built and installed by asv."""
    _git.expect_commits(arguments.range)
    _asv.expect_benchmarks(arguments.bench)
    options = ["--environment", "virtualenv", "--machine", _asv.machine_name(arguments.machine), "--skip-existing"]
    options += ["--steps", str(arguments.steps)] if arguments.steps else []
    code = _asv.asv("run", *options, *each("--bench", arguments.bench), "--", arguments.range)
    if code == 2:
        print("some benchmarks fail at some of the commits, and have no result there")
    return 2 if code == 1 else 0


def compare(arguments):
    """What is slower than before, each time that both commits are measured side by side."""
    from _comparing import compare

    return compare(arguments)


def share(arguments):
    """Results of others come here, those from here go to them: through a branch that holds nothing else."""
    from _sharing import share

    share(arguments.remote, arguments.branch)


def regular_expression(text):
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, got {text!r}: {error}") from None
    return text


def factor(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 1, got {text!r}")
    return value


def count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def parse(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="command")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--machine", help="name to keep results under; default: the host's")
    bench = {"type": regular_expression, "action": "append", "default": []}
    common.add_argument("--bench", metavar="REGEX", **bench, help="only these; may be given several times")

    def command(function, *parents):
        added = commands.add_parser(function.__name__, help=function.__doc__.splitlines()[0], parents=parents)
        added.set_defaults(function=function)
        return added

    command(run, common)
    command(quick, common)
    past = command(history, common)
    past.add_argument("range", metavar="RANGE", help="as in git log: main~5..main")
    past.add_argument("--steps", type=count, help="at most so many of its commits, evenly spread")
    change = command(compare, common)
    change.add_argument("base", metavar="BASE", help="branch or commit; compared is with where what is checked out left it")
    change.add_argument("--factor", type=factor, default=1.15, help="how many times as long is slower")
    change.add_argument("--again", type=count, default=2, help="measurements side by side of what may be slower")
    sharing = command(share)
    sharing.add_argument("--remote", default="origin")
    sharing.add_argument("--branch", default="benchmark-results")
    return parser.parse_args(arguments)


def main():
    arguments = parse()
    try:
        code = arguments.function(arguments)
    except KeyboardInterrupt:
        code = error("interrupted", 130)
    except _git.Failure as failure:
        code = error(failure)
    except ModuleNotFoundError as missing:
        code = error(f"there is no module {missing.name}: pip install -e '.[bench]'")
    except Exception as other:
        traceback.print_exc()
        code = error(repr(other))
    sys.exit(code)


def error(message, code=2):
    print(f"tools/bench.py: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
