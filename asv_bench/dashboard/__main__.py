"""Write the dashboard: asv's pages, self-contained, and our page in front of them.

    python -m asv_bench.dashboard                  from asv_bench/results to asv_bench/html; open its index.html
    python -m asv_bench.dashboard --torch          measures training beside PyTorch anew first
    python -m asv_bench.dashboard --no-torch       never measures; shows what was kept

Without either it measures training beside PyTorch if that is installed and nothing was kept for this machine yet.
Run it from the folder that has `asv_bench`. The pages load nothing from elsewhere: open them from disk, or serve the folder.
"""

import argparse
import sys
from pathlib import Path

from asv.util import UserError

from . import against_pytorch, page, publishing, results, selfcontained

HERE = Path(__file__).resolve().parent


def build(config, results_dir=None, html_dir=None, *, torch=False, machine=None):
    """Publish and write all pages.

    Parameters
    ----------
    config : path of an asv.conf.json
    results_dir, html_dir : path, optional
        Instead of those that the configuration names.
    torch : bool or None, optional
        Whether to measure training beside PyTorch first; None: where it is installed and that was not measured yet.
    machine : str, optional
        asv's name of this machine, for those measurements.

    Returns
    -------
    index : pathlib.Path
        The page to open.

    Raises
    ------
    asv.util.UserError
        If there are no results, or none of a commit of this repository.
    """
    conf = publishing.load(config, results_dir, html_dir)
    found = results.read(conf)
    if torch is not False:
        against_pytorch.provide(conf, found, machine, anew=bool(torch))
    publishing.publish(conf, found)
    selfcontained.rewrite(Path(conf.html_dir))
    return page.write(conf, found)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m asv_bench.dashboard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default=HERE.parent / "asv.conf.json", metavar="FILE", help="asv's; default: asv_bench's")
    parser.add_argument("--results", metavar="FOLDER", help="default: as the configuration says")
    parser.add_argument("--html", metavar="FOLDER", help="default: as the configuration says; is replaced")
    parser.add_argument(
        "--torch",
        action=argparse.BooleanOptionalAction,
        help="first measure training beside PyTorch, and keep that with the results; "
        "default: where PyTorch is installed and that was not measured on this machine yet",
    )
    parser.add_argument("--machine", help="name that results of this machine are kept under; default: as asv finds it")
    options = parser.parse_args(arguments)
    try:
        index = build(options.config, options.results, options.html, torch=options.torch, machine=options.machine)
    except UserError as error:
        sys.exit(f"dashboard: {error}")
    print(f"written: {index}")


if __name__ == "__main__":
    main()
