// The C interface of a compiled gate simulator. `Environment` is the caller's: what surrounds the netlist in every cycle.

struct Simulation : Gates {
    Environment environment;
    Timed timed;
    word streams{};  // in which counted cycles are timed, too

    explicit Simulation(const Tables &tables) : Gates(tables), timed(t) {}

    bool step() {
        const bool timing = counting && cycle > 0 && any(streams);  // the first cycle has none before it
        if (timing) timed.before = v;
        present();
        environment.drive(*this);
        run(t.cells, t.cell_runs);
        if (counting) count();
        if (timing) {
            const int32_t net = timed.run(v, streams);
            if (net >= 0 && error.empty()) error = "with delays, net slot " + std::to_string(net) + " settles at another value than without";
        }
        environment.observe(*this);
        advance();
        return error.empty();
    }
};

Environment &environment_of(void *simulation) { return static_cast<Simulation *>(simulation)->environment; }

extern "C" {
void *gw_new(const Tables *tables) { return new Simulation(*tables); }
void gw_free(Simulation *s) { delete s; }
const char *gw_error(Simulation *s) { return s->error.c_str(); }
int64_t gw_cycle(Simulation *s) { return s->cycle; }
void gw_count(Simulation *s, int on, int timed) {
    s->start_counting(on);
    s->streams = word{};
    for (int i = 0; i < timed; ++i) parts(s->streams)[i / 64] |= uint64_t(1) << (i % 64);
}
void gw_delays(Simulation *s, const int32_t *rise, const int32_t *fall) { s->timed.delays(rise, fall); }

void gw_clear(Simulation *s) {
    std::fill(s->toggles.begin(), s->toggles.end(), 0);
    std::fill(s->high.begin(), s->high.end(), 0);
    s->counted_cycles = 0;
    s->timed.clear();
    for (Memory &m : s->memories) m.reads = m.writes = m.read_toggles = m.write_toggles = 0;
}

void gw_set(Simulation *s, int port, const uint64_t *from) {
    memcpy(&s->staged[s->t.port_first[port]], from, s->width(port) * sizeof(word));
    s->is_staged[port] = 1;
}

void gw_get(Simulation *s, int port, uint64_t *to) {
    for (int i = 0; i < s->width(port); ++i) memcpy(to + i * WORDS, &s->bit(port, i), sizeof(word));
}

// `inputs` ports get new values in each cycle from `from`; `outputs` ports are written to `to`. Returns the cycles done.
int64_t gw_run(Simulation *s, int64_t cycles, int n_in, const int32_t *inputs, const uint64_t *from, int n_out, const int32_t *outputs, uint64_t *to) {
    for (int64_t c = 0; c < cycles; ++c) {
        for (int i = 0; i < n_in; from += s->width(inputs[i]) * WORDS, ++i) gw_set(s, inputs[i], from);
        if (!s->step()) return c;
        for (int i = 0; i < n_out; to += s->width(outputs[i]) * WORDS, ++i) gw_get(s, outputs[i], to);
    }
    return cycles;
}

int64_t gw_toggles(Simulation *s, int64_t *toggles, int64_t *high) {
    memcpy(toggles, s->toggles.data(), s->toggles.size() * sizeof(int64_t));
    memcpy(high, s->high.data(), s->high.size() * sizeof(int64_t));
    return s->counted_cycles;
}

int64_t gw_timed(Simulation *s, int64_t *toggles, int64_t *settled) {
    memcpy(toggles, s->timed.toggles.data(), s->timed.toggles.size() * sizeof(int64_t));
    memcpy(settled, s->timed.settled.data(), s->timed.settled.size() * sizeof(int64_t));
    return s->timed.samples;
}

void gw_memory_counts(Simulation *s, int memory, int64_t *counts) {
    const Memory &m = s->memories[memory];
    counts[0] = m.reads, counts[1] = m.writes, counts[2] = m.read_toggles, counts[3] = m.write_toggles;
}

uint64_t *gw_memory(Simulation *s, int memory) { return reinterpret_cast<uint64_t *>(s->memories[memory].words.data()); }
}
