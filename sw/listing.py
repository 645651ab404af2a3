"""A program as text, for people: every instruction with its place, its fields and when it runs."""

from gatewright.sw.cycles import timing
from gatewright.sw.schedule import Schedule


def listing(schedule: Schedule) -> str:
    """One line for each instruction: its address, cycles of dispatch and end, layer, operation, waits, fields that are not zero."""
    times = timing(schedule)
    lines = [
        f"; {schedule.workload.name}, {schedule.images} image(s) a run, {times.cycles} cycles",
        *(f"; map {i}: words {region.address}..{region.address + region.words - 1}" for i, region in enumerate(schedule.maps)),
        "; address  dispatched    finished  layer  instruction",
    ]
    address = 0
    for instruction, start, end in zip(schedule.instructions, times.dispatched, times.finished, strict=True):
        waits = "".join(f" wait_{name}" for name in ("store", "compute") if getattr(instruction, f"wait_{name}"))
        fields = " ".join(f"{name}={value}" for name, value in instruction.fields.items() if value)
        layer = schedule.workload.layers[instruction.layer].name
        lines.append(f"{address:9d}  {start:10d}  {end:10d}  {layer:>5s}  {instruction.opcode.name.lower()}{waits} {fields}".rstrip())
        address += instruction.memory_words(schedule.config)
    return "\n".join(lines) + "\n"
