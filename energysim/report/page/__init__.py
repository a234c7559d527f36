"""The HTML report: one self-contained page over finished reports, readable offline and without script.

What a notebook shows of a report is made in :mod:`energysim.report.html`.
"""

from energysim.report.page.render import render_page

__all__ = ["render_page"]
