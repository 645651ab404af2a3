"""Charts on disk: those that come with the package, and others."""

import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from gatewright.hw.errors import BadInput
from gatewright.sim import files
from gatewright.sim.platforms.chart import Chart, Value


def text(chart: Chart) -> str:
    """JSON with a row a line, figures to six digits."""
    fields = json.loads(chart.to_json())
    rows = ",\n".join(f"  {json.dumps([_rounded(value) for value in row])}" for row in fields.pop("rows"))
    head = json.dumps(fields, indent=1, ensure_ascii=False)
    return f'{head[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'


def _rounded(value: Value) -> Value:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def save(chart: Chart, folder: Path) -> Path:
    """Writes `platform_name.json`, whole or not at all."""
    path = folder / f"{chart.platform}_{chart.name}.json"
    files.write(path, text(chart))
    return path


def load(path: Path) -> Chart:
    """Raises BadInput for a file that holds no chart, or one that breaks a rule."""
    try:
        return Chart.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from None
    except (BadInput, UnicodeDecodeError) as error:
        raise BadInput(f"{path} holds no chart: {error}") from None


def shipped() -> tuple[Chart, ...]:
    """The charts that come with the package, by name."""
    folder = Path(str(resources.files("gatewright.sim"))) / "data" / "platforms"
    return tuple(load(path) for path in sorted(folder.glob("*.json")))


def named(key: str, charts: Iterable[Chart] | None = None) -> Chart:
    """The chart `platform/name`. Raises BadInput for one that is not there."""
    known = {chart.key: chart for chart in (shipped() if charts is None else charts)}
    if key not in known:
        raise BadInput(f"There is no chart {key!r}; there are {', '.join(known)}.")
    return known[key]
