"""Our page: what was found goes into `templates/`, which make HTML of it. One page for each machine with its settings."""

import datetime
import re
from pathlib import Path

import jinja2
import markupsafe

from . import against_pytorch, changes, links, marks, rows, text

HERE = Path(__file__).resolve().parent
LARGEST = 8  # changes listed, of each kind


def write(conf, found):
    """Write ``index.html``, for the newest run, and a page for each other machine and setting.

    Parameters
    ----------
    conf : asv.config.Config
    found : results.Found

    Returns
    -------
    index : pathlib.Path
    """
    html = Path(conf.html_dir)
    names = file_names(found.configurations)
    template = environment(conf).get_template("page.html.j2")
    now = datetime.datetime.now(datetime.timezone.utc)
    for configuration, name in zip(found.configurations, names):
        chooser = [
            {"label": label(other), "address": address, "here": other is configuration}
            for other, address in zip(found.configurations, names)
        ]
        page = template.render(**content(conf, found, configuration), chooser=chooser, now=now)
        html.joinpath(name).write_text(page, encoding="utf-8")
    return html / names[0]


def environment(conf):
    """Jinja2 with everything escaped, and with the ways in which figures are written."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    written = (text.seconds, text.size, text.ratio, text.percent, text.three_digits, text.change, text.in_unit, rows.level)
    templates.filters |= {function.__name__: function for function in written}
    templates.filters |= {
        "day": lambda date: f"{date:%Y-%m-%d}",
        "minute": lambda date: f"{date:%Y-%m-%d %H:%M} UTC",
        "short": lambda commit: commit[: conf.hash_length],
        "breakable": lambda name: markupsafe.Markup("_<wbr>").join(name.split("_")),  # long names, on narrow screens
        "raw": lambda value: value if text.is_figure(value) else "",  # for sorting
    }
    templates.globals |= {"MISSING": text.MISSING, "WIDTH": marks.WIDTH, "HEIGHT": marks.HEIGHT, "levels": rows.LEVELS}
    return templates


def label(configuration):
    """What a machine with its settings is called in the chooser."""
    words = [configuration.machine["machine"]]
    if configuration.threads:
        words.append(f"{configuration.threads} thread{'s' if configuration.threads != '1' else ''}")
    told = {"branch", *configuration.machine}  # facts about the machine come with its name
    words += [
        f"{name.removeprefix('pip+')} {value}".strip()
        for name, value in configuration.state.items()
        if name not in told and value and not name.endswith("_THREADS")
    ]
    return ", ".join(words)


def file_names(configurations):
    """``index.html`` for the first; names that say what they are for the others.

    Examples
    --------
    >>> from types import SimpleNamespace as Some
    >>> one = Some(machine={"machine": "a box"}, threads="2", state={"machine": "a box"})
    >>> file_names([one, one, one])
    ['index.html', 'on-a-box-2-threads.html', 'on-a-box-2-threads-2.html']
    """
    names = []
    for place, configuration in enumerate(configurations):
        name = "on-" + re.sub(r"[^a-z0-9]+", "-", label(configuration).lower()).strip("-")
        same = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?\.html", other) is not None for other in names)
        names.append("index.html" if place == 0 else f"{name}.html" if not same else f"{name}-{same + 1}.html")
    return names


def content(conf, found, configuration):
    """What the templates say, as names and values."""
    kernels = rows.kernels(configuration, found.benchmarks)
    networks = rows.networks(configuration, found.benchmarks)
    costs = rows.costs(configuration, found.benchmarks)
    commits = [run.commit for run in configuration.runs]
    start, tag = changes.baseline(configuration, found)
    series = [row.series for row in (*kernels, *networks, *costs)] + rows.predictions(configuration, found.benchmarks)
    moved = [change for one in series if (change := changes.since(one, commits, start))] if start < len(commits) - 1 else []
    return {
        "project": conf.project,
        "commit_url": conf.show_commit_url if conf.show_commit_url.startswith(("http://", "https://")) else None,
        "configuration": configuration,
        "ram": ram(configuration.machine.get("ram")),
        "kernels": kernels,
        "families": list(dict.fromkeys(row.family for row in kernels)),
        "networks": networks,
        "costs": costs,
        "chart": chart(kernels),
        "summary": summary(kernels, networks),
        "training": against_pytorch.read(conf.results_dir, configuration.machine["machine"]),
        "start": configuration.runs[start],
        "tag": tag,
        "noise": changes.NOISE,
        "noise_band": changes.noise_band(series, start),
        "worse": sorted((change for change in moved if change.factor > 1), key=lambda change: (change.machine, -change.factor)),
        "better": sorted((change for change in moved if change.factor < 1), key=lambda change: (change.machine, change.factor)),
        "largest": LARGEST,
        "left_out": found.left_out,
        "graph": lambda one, between: links.graph(one.benchmark, configuration.state, one.chosen, between),
        "commits": commits,
        "between": lambda before, after: found.order[after] - found.order[before],
    }


def ram(value):
    """asv has it in bytes, as a string; people also write their own."""
    return text.size(int(value)) if str(value or "").isdigit() else value


def chart(kernels):
    """Speed-ups of kernels, by family: a bar for the geometric mean of the cases of some work, a mark for each case."""
    scale = marks.Scale.of([row.speedup for row in kernels if text.is_figure(row.speedup)])
    families = {}
    for row in kernels:
        families.setdefault(row.family, {}).setdefault(row.kernel, []).append(row)
    bars = {
        family: [bar(kernel, its_rows, scale) for kernel, its_rows in its_kernels.items()]
        for family, its_kernels in families.items()
    }
    return {"scale": scale, "families": bars, "ticks": [tick for tick in scale.ticks() if tick in (1, 10, 100, 1000)]}


def bar(kernel, its_rows, scale):
    known = [row for row in its_rows if text.is_figure(row.speedup) and row.speedup > 0]
    mean = marks.geometric_mean([row.speedup for row in known if row.case != rows.TINY] or [row.speedup for row in known])
    ends = sorted((scale.at(1), scale.at(mean))) if mean else None
    cases = [{"row": row, "at": scale.at(row.speedup)} for row in known]
    return {"kernel": kernel, "mean": mean, "ends": ends, "cases": cases, "address": its_rows[0].links["time"]}


def summary(kernels, networks):
    """The few figures on top."""
    known = [row for row in kernels if text.is_figure(row.speedup) and row.speedup > 0]
    work = [row for row in known if row.case != rows.TINY] or known
    peaks = sorted(row.peak for row in kernels if text.is_figure(row.peak) and row.rate_unit == "GFLOP/s")
    ratios = [row.speedup for row in networks if text.is_figure(row.speedup)]
    return {
        "mean": marks.geometric_mean([row.speedup for row in work]),
        "pairs": len(work),
        "faster": sum(row.speedup > 1 for row in known),
        "of": len(known),
        "peak": peaks[-1] if peaks else None,
        "median_peak": peaks[len(peaks) // 2] if peaks else None,
        "training": (min(ratios), max(ratios)) if ratios else None,
    }
