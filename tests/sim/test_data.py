"""The data that ship are those that were measured or cited: a figure changed by hand is noticed.

A change that is meant (made again by the command that the data's own page names) brings its new digest here.
"""

from hashlib import sha256
from pathlib import Path

import gatewright.sim

DATA = Path(gatewright.sim.__file__).parent / "data"
DIGESTS = {
    "asap7.json": "de8d3b0530661cde",
    "ihp130.json": "24db94aa3e7da9b8",
    "ihp130_sram.json": "62e2b63e08554872",
    "measurements_asap7.json": "c755ed404764e45f",
    "measurements_ihp130.json": "1a42f7b1483ccaba",
    "measurements_sky130.json": "3ff80aa29d4171a5",
    "noise_floor.json": "4ca06712be837561",
    "operators.json": "fe80a3a39bdda6ab",
    "platforms/cpu_layer.json": "90e7d2274fcb9887",
    "platforms/fpga_accelerator.json": "97e752a071bfba02",
    "platforms/fpga_element.json": "099916d64a52225b",
    "platforms/fpga_layer.json": "df48aee7995b5aa0",
    "platforms/rram_array.json": "5c1301bf3b839516",
    "platforms/rram_layer.json": "36d011e84b2902a7",
    "published_operators.json": "5f21273607ddbefe",
    "register_files.json": "09648945da2bc9ca",
    "rram.json": "bccfb9f13e6a15a6",
    "sky130.json": "2610282aa01d32f1",
    "sram_cacti7.json": "9b99e6d6a5d024e6",
    "streams.json": "c6dff5cd1bb37005",
}


def test_shipped_data_are_as_they_were_made() -> None:
    found = {path.relative_to(DATA).as_posix(): sha256(path.read_bytes()).hexdigest()[:16] for path in DATA.rglob("*.json")}
    assert found == DIGESTS
