"""Addresses of asv's graphs, as its script reads them: ``asv.html#benchmark?machine=...&p-case='tiny'&commits=a-b``."""

from urllib.parse import quote, urlencode

from .selfcontained import ASV_PAGE


def graph(benchmark, state, chosen=(), commits=()):
    """Address of a benchmark's graph.

    Parameters
    ----------
    benchmark : str
        asv's name of it.
    state : dict of str to str
        Parameters of the machine and the environment that the graph is for.
    chosen : iterable of (name, value), optional
        The benchmark's own parameters to show; several values of a name are several lines.
        Where there are several, the graph is logarithmic, for all of them to be seen.
    commits : sequence of str, optional
        One commit to mark, or two with what is between them.

    Examples
    --------
    >>> graph("conv.Conv2d.time_kernel", {"machine": "box"}, [("case", "tiny")], ("a1", "b2"))
    'asv.html#conv.Conv2d.time_kernel?machine=box&p-case=%27tiny%27&commits=a1-b2'
    """
    pairs = [(name, "[none]" if value is None else value) for name, value in state.items()]
    pairs += [(f"p-{name}", repr(value)) for name, value in chosen]
    if len(chosen) > len(dict(chosen)):
        pairs.append(("y-axis-scale", "log"))
    if commits:
        pairs.append(("commits", "-".join(commit[:10] for commit in commits)))
    return f"{ASV_PAGE}#{quote(benchmark)}" + (f"?{urlencode(pairs, quote_via=quote)}" if pairs else "")
