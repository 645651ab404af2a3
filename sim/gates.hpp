// The bit-parallel gate simulator: every net is WORDS machine words, bit i of them belongs to stream i.
//
// A netlist is data (tables of slot numbers), a library is code (one loop for each Boolean function, generated below this header
// by gates.py), so the code is compiled once for a library and serves netlists of any size.
//
// One cycle:  states, read data and staged inputs appear on nets -> Environment::drive sets input ports -> cells are evaluated in order ->
// toggles are counted -> Environment::observe reads ports -> next states are taken, memories read and write.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#if WORDS == 1
typedef uint64_t word;
static inline uint64_t *parts(word &w) { return &w; }
static inline const uint64_t *parts(const word &w) { return &w; }
#else
typedef uint64_t word __attribute__((vector_size(8 * WORDS)));
static inline uint64_t *parts(word &w) { return reinterpret_cast<uint64_t *>(&w); }
static inline const uint64_t *parts(const word &w) { return reinterpret_cast<const uint64_t *>(&w); }
#endif

static inline word splat(uint64_t x) { return word{} + x; }

static inline int64_t ones(const word &w) {
    int64_t count = 0;
    for (int i = 0; i < WORDS; ++i) count += __builtin_popcountll(parts(w)[i]);
    return count;
}

// `count` cells of one kind; their slot numbers (inputs, then outputs) follow each other from `first` in the table.
struct Run {
    int32_t kernel, count;
    int64_t first;
};

static void evaluate(word *v, const int32_t *x, int32_t kernel, int32_t count);  // generated from the library

struct MemoryTable {
    int64_t depth;
    int32_t width, read_address_bits, write_address_bits;
    const int32_t *read_enable, *read_address, *read_data, *write_enable, *write_address, *write_data;
};

struct Tables {
    int32_t slots, counted, streams, ports, memories;  // the first `counted` slots are nets, the others are states
    int32_t begin_runs, cell_runs, end_runs;
    const Run *begin, *cells, *end;
    const int32_t *index;
    const int32_t *port_first, *port_slots;  // port p is port_slots[port_first[p] .. port_first[p + 1])
    const MemoryTable *memory;
};

struct Memory {
    MemoryTable table;
    std::vector<word> words, held, written;  // contents, read register, last word written
    int64_t reads = 0, writes = 0, read_toggles = 0, write_toggles = 0;
};

struct Gates {
    Tables t;  // its arrays belong to the caller and outlive this
    std::vector<word> v, before, staged;  // `staged` are port values that appear with the next cycle
    std::vector<char> is_staged;
    std::vector<int64_t> toggles, high;
    std::vector<Memory> memories;
    word mask{};
    int64_t cycle = 0, counted_cycles = 0;
    bool counting = false;
    std::string error;

    explicit Gates(const Tables &tables) : t(tables) {
        v.assign(t.slots, word{});
        before.assign(t.counted, word{});
        staged.assign(t.port_first[t.ports], word{});
        is_staged.assign(t.ports, 0);
        toggles.assign(t.counted, 0);
        high.assign(t.counted, 0);
        v[1] = ~word{};
        for (int i = 0; i < t.streams; ++i) parts(mask)[i / 64] |= uint64_t(1) << (i % 64);
        for (int i = 0; i < t.memories; ++i) {
            Memory m{t.memory[i], {}, {}, {}};
            m.words.assign(m.table.depth * m.table.width, word{});
            m.held.assign(m.table.width, word{});
            m.written.assign(m.table.width, word{});
            memories.push_back(m);
        }
    }

    int width(int port) const { return t.port_first[port + 1] - t.port_first[port]; }
    word &bit(int port, int i) { return v[t.port_slots[t.port_first[port] + i]]; }
    const word &bit(int port, int i) const { return v[t.port_slots[t.port_first[port] + i]]; }

    // The low 64 bits of a port in one stream.
    uint64_t value(int port, int stream) const {
        uint64_t x = 0;
        for (int i = 0; i < width(port) && i < 64; ++i) x |= (parts(bit(port, i))[stream / 64] >> (stream % 64) & 1) << i;
        return x;
    }

    // The low 64 bits of a port that must be equal in all streams; notes an error where they differ.
    uint64_t uniform(int port) { return uniform(t.port_slots + t.port_first[port], width(port), "port number", port); }

    // Gives all streams the same value.
    void drive(int port, uint64_t x) {
        for (int i = 0; i < width(port); ++i) bit(port, i) = splat(i < 64 && (x >> i & 1) ? ~uint64_t(0) : 0);
    }

    void drive(int port, int stream, uint64_t x) {
        for (int i = 0; i < width(port) && i < 64; ++i) {
            uint64_t &w = parts(bit(port, i))[stream / 64], one = uint64_t(1) << (stream % 64);
            w = x >> i & 1 ? w | one : w & ~one;
        }
    }

    uint64_t uniform(const int32_t *slots, int count, const char *what, int number) {
        uint64_t x = 0;
        for (int i = 0; i < count; ++i) {
            int64_t n = ones(v[slots[i]] & mask);
            if (n && n != t.streams && error.empty()) {
                char text[160];
                snprintf(text, sizeof text, "bit %d of %s %d differs between streams in cycle %lld", i, what, number, (long long)cycle);
                error = text;
            }
            if (n && i < 64) x |= uint64_t(1) << i;
        }
        return x;
    }

    void run(const Run *runs, int32_t count) {
        for (const Run *r = runs; r < runs + count; ++r) evaluate(v.data(), t.index + r->first, r->kernel, r->count);
    }

    void present() {
        for (int p = 0; p < t.ports; ++p) {
            if (!is_staged[p]) continue;
            for (int i = 0; i < width(p); ++i) bit(p, i) = staged[t.port_first[p] + i];
            is_staged[p] = 0;
        }
        run(t.begin, t.begin_runs);
        for (Memory &m : memories)
            for (int i = 0; i < m.table.width; ++i) v[m.table.read_data[i]] = m.held[i];
    }

    void count() {
        const int64_t known = cycle > 0;  // the first cycle has none before it
        for (int32_t i = 0; i < t.counted; ++i) {
            word now = v[i] & mask;
            toggles[i] += known * ones(now ^ before[i]);
            high[i] += ones(now);
            before[i] = now;
        }
        ++counted_cycles;
    }

    void start_counting(bool on) {
        if (on && !counting)
            for (int32_t i = 0; i < t.counted; ++i) before[i] = v[i] & mask;
        counting = on;
    }

    void advance() {
        run(t.end, t.end_runs);
        for (int i = 0; i < t.memories; ++i) access(memories[i], i);
        ++cycle;
    }

    void access(Memory &m, int number) {
        const MemoryTable &s = m.table;
        if (uniform(s.read_enable, 1, "the read enable of memory", number)) {
            uint64_t address = uniform(s.read_address, s.read_address_bits, "the read address of memory", number);
            for (int i = 0; i < s.width; ++i) {
                word w = address < uint64_t(s.depth) ? m.words[address * s.width + i] : word{};
                if (counting) m.read_toggles += ones((w ^ m.held[i]) & mask);
                m.held[i] = w;
            }
            if (counting) m.reads += t.streams;
        }
        bool enabled = false, any = false;
        uint64_t address = 0;
        for (int i = 0; i < s.width; ++i) {
            if (i == 0 || s.write_enable[i] != s.write_enable[i - 1])
                enabled = uniform(s.write_enable + i, 1, "the write enable of memory", number);
            if (!enabled) continue;
            if (!any) address = uniform(s.write_address, s.write_address_bits, "the write address of memory", number);
            any = true;
            word w = v[s.write_data[i]];
            if (counting) m.write_toggles += ones((w ^ m.written[i]) & mask);
            m.written[i] = w;
            if (address < uint64_t(s.depth)) m.words[address * s.width + i] = w;
        }
        if (any && counting) m.writes += t.streams;
    }
};
