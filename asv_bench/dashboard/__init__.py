"""The performance dashboard: one page of our own in front of asv's, made from asv's result files.

Each file has one task:

    __main__.py          the command
    publishing.py        `asv publish`, for the results and branches that there are
    selfcontained.py     asv's pages without an outside address, also from file://
    results.py           asv's result files as histories of figures, one for each machine and its settings
    rows.py              what stands in the tables
    changes.py           what moved beyond noise, and in which commit
    against_pytorch.py   training beside PyTorch: measured once or on request, kept beside the results
    versions.py          versions of packages, kept beside the results
    links.py             addresses of asv's graphs
    marks.py             geometry of bars and small graphs
    text.py              figures as text
    page.py              all of that into templates/*.html.j2
    static/              our stylesheet and scripts
    vendor/              what asv's pages load, with licences
"""
