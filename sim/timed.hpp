// One cycle again, with the cells' delays: every transition of every net, glitches included.
//
// Within a cycle the cells form no loops, so there is no queue of events: the cells are taken in the order of their levels, and each turns the
// complete waveforms of its inputs into those of its outputs. A waveform is a list of changes (time in ps after the clock edge,
// streams that toggle). What a cell does with its inputs is that of Verilog's `assign #(rise, fall) y = f(...)`: changes of one time are seen
// together, after the output's own changes of that time; a new value of f that is not the one on its way to the output is scheduled after
// the rise or fall delay, and one that equals the present output takes back what was on its way (inertial delay).

struct Change {
    int32_t time;
    word mask;
};

// One Boolean function of the library, for single cells.
struct Kernel {
    int inputs, outputs;
    void (*function)(const word *in, word *out);
};
static const Kernel &kernel(int32_t number);  // generated from the library
constexpr int PINS_MAX = 24;

static inline bool any(const word &w) {
    uint64_t bits = 0;
    for (int i = 0; i < WORDS; ++i) bits |= parts(w)[i];
    return bits != 0;
}

// Changes on their way to an output. Rising and falling ones have one delay each, so either list ascends in time.
struct Output {
    std::vector<Change> lists[2];  // falling, rising
    size_t heads[2];
    word target, waiting;  // the value when all has arrived; streams with something on its way

    void start(const word &value) {
        for (int i = 0; i < 2; ++i) lists[i].clear(), heads[i] = 0;
        target = value, waiting = word{};
    }

    void evaluate(int32_t now, const word &value, int32_t rise, int32_t fall) {
        const word changed = value ^ target;
        if (!any(changed)) return;
        for (int i = 0; i < 2; ++i)
            for (; heads[i] < lists[i].size() && lists[i][heads[i]].time <= now; ++heads[i]) waiting &= ~lists[i][heads[i]].mask;
        const word back = changed & waiting, gone = changed & ~waiting, sides[2] = {gone & ~value, gone & value};
        if (any(back))
            for (int i = 0; i < 2; ++i)
                for (size_t j = heads[i]; j < lists[i].size(); ++j) lists[i][j].mask &= ~back;
        for (int i = 0; i < 2; ++i)
            if (any(sides[i])) lists[i].push_back({now + (i ? rise : fall), sides[i]});
        waiting = (waiting & ~back) | gone;
        target = value;
    }
};

class Timed {
    const Tables &t;
    std::vector<int32_t> sources;  // nets that no combinational cell drives: input ports, flip-flops, memories
    std::vector<int32_t> rise, fall;
    std::vector<int64_t> first, last;  // a net's waveform is changes[first .. last)
    std::vector<Change> changes;
    std::vector<Output> pending;

public:
    std::vector<word> before;  // settled values of the cycle before
    std::vector<int64_t> toggles, settled;
    int64_t samples = 0;  // cycles, summed over the streams

    explicit Timed(const Tables &tables) : t(tables), pending(PINS_MAX) {}

    bool ready() const { return !rise.empty(); }

    void delays(const int32_t *rises, const int32_t *falls) {
        rise.assign(rises, rises + t.counted), fall.assign(falls, falls + t.counted);
        first.assign(t.slots, 0), last.assign(t.slots, 0);
        toggles.assign(t.counted, 0), settled.assign(t.counted, 0);
        std::vector<char> driven(t.slots, 0);
        each_cell([&](const Kernel &k, const int32_t *x) {
            for (int o = 0; o < k.outputs; ++o) driven[x[k.inputs + o]] = 1;
        });
        sources.clear();
        for (int32_t slot = 0; slot < t.counted; ++slot)
            if (!driven[slot]) sources.push_back(slot);
    }

    void clear() {
        std::fill(toggles.begin(), toggles.end(), 0);
        std::fill(settled.begin(), settled.end(), 0);
        samples = 0;
    }

    // Counts the transitions of one cycle of `streams`, from the values `before` to `after`. Returns a net that ended elsewhere, or -1.
    int32_t run(const std::vector<word> &after, const word &streams) {
        int32_t wrong = -1;
        changes.clear();
        for (int32_t slot : sources) {
            const word moved = (before[slot] ^ after[slot]) & streams;
            first[slot] = last[slot] = changes.size();
            if (!any(moved)) continue;
            pending[0].start(before[slot]);
            pending[0].evaluate(0, before[slot] ^ moved, rise[slot], fall[slot]);
            emit(pending[0], slot);
        }
        each_cell([&](const Kernel &k, const int32_t *x) {
            if (!cell(k, x)) quiet(k, x);
            for (int o = 0; o < k.outputs; ++o) {
                const int32_t slot = x[k.inputs + o];
                if (slot >= t.counted) continue;
                word value = before[slot];
                for (int64_t c = first[slot]; c < last[slot]; ++c) value ^= changes[c].mask;
                if (any((value ^ after[slot]) & streams)) wrong = slot;
            }
        });
        for (int32_t slot = 0; slot < t.counted; ++slot) settled[slot] += ones((before[slot] ^ after[slot]) & streams);
        samples += ones(streams);
        return wrong;
    }

private:
    template <typename Visit> void each_cell(Visit visit) {
        for (const Run *r = t.cells; r < t.cells + t.cell_runs; ++r) {
            const Kernel &k = kernel(r->kernel);
            const int32_t *x = t.index + r->first;
            for (int32_t i = 0; i < r->count; ++i, x += k.inputs + k.outputs) visit(k, x);
        }
    }

    void quiet(const Kernel &k, const int32_t *x) {
        for (int o = 0; o < k.outputs; ++o) first[x[k.inputs + o]] = last[x[k.inputs + o]] = changes.size();
    }

    // The waveforms of a cell's outputs; false where no input moves.
    bool cell(const Kernel &k, const int32_t *x) {
        const Change *at[PINS_MAX], *end[PINS_MAX];
        int moving[PINS_MAX], count = 0;
        for (int i = 0; i < k.inputs; ++i)
            if (first[x[i]] != last[x[i]]) moving[count++] = i;
        if (!count) return false;
        word in[PINS_MAX], out[PINS_MAX];
        for (int i = 0; i < k.inputs; ++i) in[i] = before[x[i]];
        for (int j = 0; j < count; ++j) at[j] = &changes[first[x[moving[j]]]], end[j] = changes.data() + last[x[moving[j]]];
        for (int o = 0; o < k.outputs; ++o)
            if (x[k.inputs + o] < t.counted) pending[o].start(before[x[k.inputs + o]]);
        for (;;) {
            int32_t now = INT32_MAX;
            for (int j = 0; j < count; ++j)
                if (at[j] != end[j]) now = std::min(now, at[j]->time);
            if (now == INT32_MAX) break;
            for (int j = 0; j < count; ++j)
                if (at[j] != end[j] && at[j]->time == now) in[moving[j]] ^= (at[j]++)->mask;
            k.function(in, out);
            for (int o = 0; o < k.outputs; ++o)
                if (const int32_t slot = x[k.inputs + o]; slot < t.counted) pending[o].evaluate(now, out[o], rise[slot], fall[slot]);
        }
        for (int o = 0; o < k.outputs; ++o)
            if (x[k.inputs + o] < t.counted) emit(pending[o], x[k.inputs + o]);
        return true;
    }

    // Joins what rises and what falls into the net's waveform, and counts it.
    void emit(const Output &output, int32_t slot) {
        const Change *at[2], *end[2];
        for (int i = 0; i < 2; ++i) at[i] = output.lists[i].data(), end[i] = at[i] + output.lists[i].size();
        first[slot] = changes.size();
        while (at[0] != end[0] || at[1] != end[1]) {
            const int32_t now = std::min(at[0] != end[0] ? at[0]->time : INT32_MAX, at[1] != end[1] ? at[1]->time : INT32_MAX);
            word mask{};
            for (int i = 0; i < 2; ++i)
                if (at[i] != end[i] && at[i]->time == now) mask |= (at[i]++)->mask;
            if (!any(mask)) continue;
            changes.push_back({now, mask});
            toggles[slot] += ones(mask);
        }
        last[slot] = changes.size();
    }
};
