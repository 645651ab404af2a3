"""RRAM crossbars: what a binary layer costs in arrays of XNOR cells with shared ADCs, from a cited device model. Nothing is measured.

An XNOR cell is two one-transistor-one-resistor devices in one column whose word lines carry an activation and its complement (Sun et
al., XNOR-RRAM, DATE 2018), so that one device conducts: the low resistance where the bits are equal. A column of `rows` devices adds
rows / 2 products as a current. `columns_per_adc` columns take turns at an ADC, and counts of arrays that share an output are added.

Left out: decoders, buffers and wires between arrays, thresholds, writing, idle power, and errors (device spread, wire resistance, noise):
an ADC with fewer bits than a column's count needs costs accuracy that is not modelled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil
from pathlib import Path

from pydantic import Field, model_validator

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sim.platforms.chart import LAYER_AXES, Axis, Chart, Cost, Provenance, Value

DATA = Path(__file__).parent.parent / "data" / "rram.json"
DATE = "2026-11-22"  # when the figures were looked up
CHANNELS, SIZES, KERNELS = (16, 32, 64, 128, 256, 512), (4, 8, 16, 32), (1, 3)
SIDES = (32, 64, 128, 256)
ONES = 0.5  # part of the products whose bits are equal
FACTORS = (0.5, 1.0, 2.0)  # of the ADC's cited energy: the widest spread between sources


class Device(Noun):
    """Figures of one array and its periphery, each with its source. Energies are of a read, a conversion, a driven row and a sum."""

    rows: int = Field(ge=2)
    cols: int = Field(ge=1)
    resistance_on_ohm: float = Field(gt=0)
    resistance_off_ohm: float = Field(gt=0)
    resistance_access_ohm: float = Field(ge=0)
    read_voltage_v: float = Field(gt=0)
    read_ns: float = Field(gt=0)
    columns_per_adc: int = Field(ge=1)
    cell_um2: float = Field(gt=0)
    adc_pj: dict[int, float]
    adc_um2: dict[int, float]
    adc_ns: float = Field(gt=0)
    driver_pj: float = Field(ge=0)
    driver_um2: float = Field(ge=0)
    sum_pj: float = Field(ge=0)
    sum_um2: float = Field(ge=0)
    sources: dict[str, str]
    citations: dict[str, str]

    @model_validator(mode="after")
    def _check(self) -> "Device":
        figures = set(type(self).model_fields) - {"sources", "citations"}
        if unsourced := sorted(name for name in figures if self.sources.get(name) not in self.citations):
            raise ValueError(f"every figure needs a source among the citations; {', '.join(unsourced)} has none")
        if self.adc_pj.keys() != self.adc_um2.keys():
            raise ValueError("adc_pj and adc_um2 must be of the same numbers of bits")
        if self.rows % 2:
            raise ValueError(f"an XNOR cell takes two rows, so rows must be even; got {self.rows}")
        return self

    @property
    def products(self) -> int:
        """Products that a column adds."""
        return self.rows // 2

    @property
    def exact_bits(self) -> int:
        """Bits that tell every count of a column apart, 0 to `products`."""
        return self.products.bit_length()

    def cell_pj(self, ones: float = ONES) -> float:
        """One product's read: V^2 t / R of the device that conducts, with its transistor."""
        conductance = ones / (self.resistance_on_ohm + self.resistance_access_ohm)
        conductance += (1 - ones) / (self.resistance_off_ohm + self.resistance_access_ohm)
        return self.read_voltage_v**2 * conductance * self.read_ns * 1e3

    def adc(self, bits: int) -> tuple[float, float]:
        """Energy of a conversion in pJ and area in um2. Raises BadInput for bits that no source gives."""
        if bits not in self.adc_pj:
            raise BadInput(f"The sources give ADCs of {', '.join(map(str, self.adc_pj))} bits; got {bits}.")
        return self.adc_pj[bits], self.adc_um2[bits]


@dataclass(frozen=True)
class Crossbar:
    """What a layer takes: energies of one image in pJ."""

    arrays: int
    cells_pj: float
    adc_pj: float
    drivers_pj: float
    sums_pj: float
    area_um2: float
    latency_us: float

    def energy_pj(self, adc_factor: float = 1.0) -> float:
        """All of it, with the ADCs at `adc_factor` times their cited energy."""
        return self.cells_pj + adc_factor * self.adc_pj + self.drivers_pj + self.sums_pj

    @property
    def adc_percent(self) -> float:
        """The ADCs' part of the energy."""
        return 100 * self.adc_pj / self.energy_pj()


@lru_cache(maxsize=1)
def device() -> Device:
    """The cited device."""
    return Device.from_json(DATA.read_text(encoding="utf-8"))


def crossbar(device: Device, reduction: int, outputs: int, pixels: int, adc_bits: int | None = None, ones: float = ONES) -> Crossbar:
    """A layer of `outputs` sums of `reduction` products (C R S) at `pixels` places (P Q), its weights resident.

    The weights are cut into arrays by rows and columns; at each place all arrays are read at once, and columns that hold no weights are
    neither read nor converted. `adc_bits` None: as many as count exactly.
    """
    if min(reduction, outputs, pixels) < 1:
        raise BadInput(f"A layer has at least one product, output and pixel; got {reduction}, {outputs} and {pixels}.")
    adc_pj, adc_um2 = device.adc(device.exact_bits if adc_bits is None else adc_bits)
    down, across = ceil(reduction / device.products), ceil(outputs / device.cols)
    converted = down * outputs
    adcs = ceil(device.cols / device.columns_per_adc)
    array_um2 = device.rows * (device.cols * device.cell_um2 + device.driver_um2) + adcs * (adc_um2 + device.sum_um2)
    turns = min(device.columns_per_adc, outputs)
    return Crossbar(
        arrays=down * across,
        cells_pj=pixels * reduction * outputs * device.cell_pj(ones),
        adc_pj=pixels * converted * adc_pj,
        drivers_pj=pixels * reduction * across * device.driver_pj,
        sums_pj=pixels * converted * device.sum_pj,
        area_um2=down * across * array_um2,
        latency_us=pixels * turns * (device.read_ns + device.adc_ns) * 1e-3,
    )


def charts() -> tuple[Chart, Chart]:
    """Layers on the cited array with ADCs that count exactly; and whole arrays of several sizes and ADCs."""
    return layers(device()), arrays(device())


_ENERGIES = (
    Cost(name="energy_pj", title="energy, pJ", origin="from_cited"),
    Cost(name="energy_half_adc_pj", title="energy with the ADCs at half their cited energy, pJ", origin="from_cited"),
    Cost(name="energy_double_adc_pj", title="energy with the ADCs at twice their cited energy, pJ", origin="from_cited"),
)


def _energies(found: Crossbar) -> tuple[float, float, float]:
    half, cited, double = (found.energy_pj(factor) for factor in FACTORS)
    return cited, half, double


def _layer(device: Device, c: int, k: int, size: int, kernel: int) -> tuple[float, ...]:
    found = crossbar(device, c * kernel**2, k, size**2)
    return found.arrays, *_energies(found), found.adc_percent, found.area_um2, found.latency_us


def _array(device: Device, side: int, bits: int) -> tuple[float, ...]:
    array = device.replace(rows=side, cols=side, driver_pj=device.driver_pj * side / device.cols)
    products = array.products * side
    found = crossbar(array, array.products, side, 1, bits)
    return *(energy / products for energy in _energies(found)), found.adc_percent, found.area_um2 / products, found.latency_us


MODELS: dict[str, Callable[..., tuple[float, ...]]] = {"rram/layer": _layer, "rram/array": _array}
"""A chart's costs from the device and a value for each axis."""


def exact(chart: Chart, **where: Value) -> dict[str, float]:
    """The model's costs at a shape within a chart's range. Raises BadInput as `Chart.at` does, and for a value that is not whole."""
    chart.at(**where)
    for axis, value in where.items():
        if value != int(value):
            raise BadInput(f"{axis} of {chart.key} is a whole number; got {value:g}.")
    found = MODELS[chart.key](device(), *(int(where[axis.name]) for axis in chart.axes))
    return {cost.name: value for cost, value in zip(chart.costs, found, strict=True)}


def layers(device: Device) -> Chart:
    """Convolutions of binary operands."""
    rising = ("C", "K", "size", "kernel")
    rows = [(*shape, *_layer(device, *shape)) for shape in product(CHANNELS, CHANNELS, SIZES, KERNELS)]
    return Chart(
        platform="rram",
        name="layer",
        title=f"A binary convolution, one image, in arrays of {device.rows} x {device.cols} devices",
        axes=LAYER_AXES,
        costs=(
            Cost(name="arrays", title="arrays that hold the weights", origin="from_cited", rises_with=rising),
            *(cost.replace(rises_with=rising) for cost in _ENERGIES),
            Cost(name="adc_percent", title="the ADCs' part of the energy, %", origin="from_cited"),
            Cost(name="area_um2", title="area of the arrays with their periphery, um2", origin="from_cited", rises_with=rising),
            Cost(name="latency_us", title="latency, us", origin="from_cited", rises_with=rising),
        ),
        rows=tuple(rows),
        provenance=_provenance(device, f"ADCs of {device.exact_bits} bits, which count exactly"),
    )


def arrays(device: Device) -> Chart:
    """A full array's cost for each product, by its size and the bits of its ADCs."""
    rows = [(*shape, *_array(device, *shape)) for shape in product(SIDES, device.adc_pj)]
    return Chart(
        platform="rram",
        name="array",
        title="A full square array, for each product",
        axes=(
            Axis(name="side", title="rows and columns of devices; a column adds half as many products"),
            Axis(
                name="adc_bits",
                title="bits of an ADC; fewer than count exactly (6 for a side of 64, 7 for 128) lose accuracy",
                interpolated=False,
            ),
        ),
        costs=(
            *(cost.replace(rises_with=("adc_bits",)) for cost in _ENERGIES),
            Cost(name="adc_percent", title="the ADCs' part of the energy, %", origin="from_cited", rises_with=("adc_bits",)),
            Cost(name="area_um2", title="area, um2", origin="from_cited", rises_with=("adc_bits",)),
            Cost(name="latency_us", title="latency of a read of all columns, us", origin="from_cited"),
        ),
        rows=tuple(rows),
        provenance=_provenance(
            device,
            "the cited array's figures at other sizes, a row's driver in proportion to its length: wire resistance and longer reads are "
            "left out",
        ),
    )


def _provenance(device: Device, how: str) -> Provenance:
    return Provenance(
        device="none: a cited model at 32 nm",
        method=f"gatewright.sim.platforms.rram; {how}; equal bits in {ONES:.0%} of the products",
        command="gatewright platforms --measure rram",
        date=DATE,
        sources=tuple(device.citations.values()),
    )
