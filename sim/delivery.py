"""What leaves the project: Verilog, the program, and memory images that any simulator or board can load."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from gatewright.hw.config import AcceleratorConfig
from gatewright.hw.errors import Mismatch
from gatewright.sim.cache import writing
from gatewright.sim.network import TOP, system_verilog
from gatewright.sw.cycles import timing
from gatewright.sw.listing import listing
from gatewright.sw.program import Program

WINNER = "winner"  # the folder of a run that holds them
VERILOG, PROGRAM, IMAGE, LISTING, MANIFEST = f"{TOP}.v", "program.safetensors", "memory.hex", "program.txt", "manifest.json"


def deliver(folder: Path, config: AcceleratorConfig, program: Program | None = None) -> list[Path]:
    """Write `folder` whole or not at all; it may exist, then its files of these names are replaced. Returns the files."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
        try:
            _fill(draft, config, program)
            made = sorted(draft.iterdir())
            for path in made:
                path.replace(folder / path.name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return [folder / path.name for path in made]


def _fill(folder: Path, config: AcceleratorConfig, program: Program | None) -> None:
    (folder / VERILOG).write_text(system_verilog(config))
    facts: dict[str, object] = {"top": TOP, "accelerator": json.loads(config.to_json())}
    if program is not None:
        program.save(folder / PROGRAM)
        (folder / IMAGE).write_text(hex_image(program.image, config.operand_bits))
        (folder / LISTING).write_text(listing(program.schedule))
        facts |= manifest(program)
    (folder / MANIFEST).write_text(json.dumps(facts, indent=2) + "\n")


def check(folder: Path, program: Program) -> None:
    """Raise Mismatch where the memory image or the manifest in `folder`, which boards load, is not this program's."""
    facts = {"top": TOP, "accelerator": json.loads(program.config.to_json())} | manifest(program)
    expected = {IMAGE: hex_image(program.image, program.config.operand_bits), MANIFEST: json.dumps(facts, indent=2) + "\n"}
    for name, text in expected.items():
        path = folder / name
        if not path.is_file() or path.read_text(errors="replace") != text:
            raise Mismatch(
                f"{path} is {'not what the program beside it gives' if path.is_file() else 'missing'}: do not load it. "
                "`gatewright generate RUN -o DIR` writes it again."
            )


def manifest(program: Program) -> dict[str, object]:
    """What a host needs to know to drive the accelerator: where things lie in external memory, in words of `operand_bits`."""
    schedule = program.schedule
    maps = [{"address": region.address, "words": region.words} for region in schedule.maps]
    return {
        "network": program.network.name,
        "images_per_run": schedule.images,
        "entry": 0,
        "entry_words": program.entry_words,
        "memory_words": schedule.memory_words,
        "input": maps[0],
        "output": maps[-1],
        "cycles_per_run": timing(schedule).cycles,
    }


def hex_image(words: np.ndarray, operand_bits: int) -> str:
    """Memory words from address 0 for `$readmemh`."""
    return "\n".join(f"{int(word):0{operand_bits // 4}x}" for word in words) + "\n"
