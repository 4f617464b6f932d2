"""asv's pages without an outside address.

asv's index loads jQuery, Flot and Bootstrap from the network. They are kept in `vendor/`, and go beside the pages. The index
is renamed to ``asv.html``, for ours to open first. A browser does not let pages on disk read files, so each of asv's data files
gets a script beside it that has the same content, which `static/asv_files.js` reads from ``file://``.
"""

import re
import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
ASV_PAGE = "asv.html"

# What asv 0.6.6 loads -> where it is in vendor/.
_CDNJS, _JSDELIVR, _FLOT = (
    "https://cdnjs.cloudflare.com/ajax/libs",
    "https://cdn.jsdelivr.net/npm",
    "jquery.flot-0.8.3/jquery.flot",
)
OUTSIDE = {
    "https://code.jquery.com/jquery-3.3.1.min.js": "jquery-3.3.1/jquery.min.js",
    f"{_CDNJS}/flot/0.8.3/jquery.flot.min.js": f"{_FLOT}.js",
    f"{_CDNJS}/flot/0.8.3/jquery.flot.time.min.js": f"{_FLOT}.time.js",
    f"{_CDNJS}/flot/0.8.3/jquery.flot.selection.min.js": f"{_FLOT}.selection.js",
    f"{_CDNJS}/flot/0.8.3/jquery.flot.categories.min.js": f"{_FLOT}.categories.js",
    f"{_JSDELIVR}/flot-orderbars@1.0.0/js/jquery.flot.orderBars.js": "flot-orderbars-1.0.0/jquery.flot.orderBars.js",
    f"{_CDNJS}/stupidtable/1.0.1/stupidtable.min.js": "stupid-table-plugin-1.1.3/stupidtable.min.js",
    f"{_CDNJS}/blueimp-md5/2.19.0/js/md5.min.js": "blueimp-md5-2.19.0/md5.min.js",
    f"{_JSDELIVR}/bootstrap@3.1.1/dist/js/bootstrap.min.js": "bootstrap-3.1.1/js/bootstrap.min.js",
    f"{_JSDELIVR}/bootstrap@3.1.1/dist/css/bootstrap.min.css": "bootstrap-3.1.1/css/bootstrap.min.css",
}

# A script or a stylesheet from elsewhere, with the integrity that holds for that copy only.
_LOADED = re.compile(r"""<(script|link|img)\b[^>]*?\b(?:src|href)=["']((?:https?:)?//[^"']+)["'][^>]*>""", re.IGNORECASE)
_ASV_SCRIPT = re.compile(r"""<script\b[^>]*\bsrc=["']asv\.js["']""")


def rewrite(html):
    """Make asv's pages in a folder self-contained; the address of its index is then `ASV_PAGE`.

    Parameters
    ----------
    html : pathlib.Path
        Where `asv publish` has just written.

    Raises
    ------
    ValueError
        If asv's index loads something that is not in `OUTSIDE`, or does not load what it should: another version of asv.
    """
    shutil.copytree(HERE / "vendor", html / "vendor", ignore=shutil.ignore_patterns(".gitattributes"))
    shutil.copytree(HERE / "static", html / "static")
    page = index(html.joinpath("index.html").read_text(encoding="utf-8"))
    html.joinpath(ASV_PAGE).write_text(page, encoding="utf-8")
    html.joinpath("index.html").unlink()
    for data in sorted(html.rglob("*.json")):
        data.with_name(f"{data.name}.js").write_text(f"asvFile({data.read_text(encoding='utf-8')});\n", encoding="utf-8")


def index(page):
    """asv's index with local addresses, the reader of local files, and a way back to our page."""

    def local(match):
        element, address = match[1].lower(), match[2]
        if address not in OUTSIDE:
            raise ValueError(f"asv's index loads {address}, which asv_bench/dashboard/vendor does not have: is this asv 0.6.6?")
        target = f"vendor/{OUTSIDE[address]}"
        return f'<link rel="stylesheet" href="{target}">' if element == "link" else f'<script src="{target}">'

    page = _LOADED.sub(local, page)
    page, scripts = _ASV_SCRIPT.subn(r'<script src="static/asv_files.js"></script>\n    \g<0>', page, count=1)
    back = '<li><a href="index.html">Dashboard</a></li>\n\t'
    page, items = re.subn(r'(?=<li id="nav-li-")', back, page, count=1)
    if not scripts or not items:
        raise ValueError("asv's index is not the one of asv 0.6.6: it has no script asv.js, or no list of pages")
    return page
