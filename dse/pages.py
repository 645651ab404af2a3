"""What every page of a run is made with: its template's look, figures that find plotly.js in the page, numbers as text."""

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

TEMPLATES = Path(__file__).parent  # page.j2 is what the others extend


def render(template: str, **values: Any) -> str:
    """A page that needs nothing else. Same values, same page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "percent": percent, "signed": signed}
    return environment.get_template(template).render(plotly=Markup(get_plotlyjs()), **values)


def figure(drawn: go.Figure, name: str) -> Markup:
    """A figure as HTML that finds plotly.js in the page."""
    return Markup(drawn.to_html(full_html=False, include_plotlyjs=False, div_id=name, config={"displayModeBar": False, "responsive": True}))


def number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{100 * value:.{digits}f}%"


def signed(value: float | None) -> str:
    """A relative error; what is exactly right shows no sign."""
    if not value:
        return "–" if value is None else "0"
    return f"{100 * value:+.1f}%".replace("-", "−")
