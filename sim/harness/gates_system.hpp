// What surrounds the gate netlist of a system: the declared external memory (see memory.hpp), each stream with its own contents, and a
// host that sends RUN once. Requests, addresses and enables are control and equal in all streams; `uniform` checks that.

struct Environment {
    int operand_bits = 0, interval = 1, entry_words = 0;
    std::vector<word> words;  // [address * operand_bits + bit]
    bool bursting = false, done = false;
    uint64_t address = 0, left = 0, words_read = 0, words_written = 0, cycles = 0;
    int read_wait = 0, write_wait = 0, reset = 2, sent = 0;

    int commands() const { return operand_bits == 32 ? 2 : 1; }

    void drive(Gates &g) {
        bool valid = bursting && read_wait == 0;
        g.drive(PORT_rst, reset > 0);
        g.drive(PORT_request_ready, !bursting);
        g.drive(PORT_data_valid, valid);
        for (int i = 0; i < operand_bits; ++i) g.bit(PORT_data, i) = valid ? words[address * operand_bits + i] : word{};
        g.drive(PORT_write_ready, write_wait == 0);
        g.drive(PORT_in_valid, reset == 0 && sent < commands());
        g.drive(PORT_in_data, sent == 0 && reset == 0 ? 2 | uint64_t(entry_words) << 8 : 0);
        g.drive(PORT_out_ready, 1);
    }

    void observe(Gates &g) {
        if (reset > 0) {
            --reset;
            return;
        }
        bool valid = bursting && read_wait == 0;
        bool taken = valid && g.uniform(PORT_data_ready), begun = !bursting && g.uniform(PORT_request_valid);
        bool written = write_wait == 0 && g.uniform(PORT_write_valid);
        if (sent < commands() && g.uniform(PORT_in_ready)) ++sent;
        if (!done && g.uniform(PORT_out_valid)) done = true, cycles = g.uniform(PORT_out_data);
        if (taken) {
            ++address, ++words_read;
            if (--left == 0) bursting = false;
            read_wait = interval;
        }
        if (begun) {
            address = g.uniform(PORT_request_address), left = g.uniform(PORT_request_length);
            bursting = left != 0;
            read_wait = interval;
        }
        if (read_wait) --read_wait;
        if (written) {
            uint64_t at = g.uniform(PORT_write_address) * operand_bits;
            if (at + operand_bits > words.size()) {
                g.error = "a write beyond the end of external memory";
                return;
            }
            for (int i = 0; i < operand_bits; ++i) words[at + i] = g.bit(PORT_write_data, i);
            ++words_written;
            write_wait = interval;
        }
        if (write_wait) --write_wait;
        if (bursting && (address + left) * operand_bits > words.size()) g.error = "a read beyond the end of external memory";
    }
};

extern "C" uint64_t *system_setup(void *simulation, int64_t memory_words, int operand_bits, int interval, int entry_words) {
    Environment &e = environment_of(simulation);
    e.operand_bits = operand_bits, e.interval = interval, e.entry_words = entry_words;
    e.words.assign(memory_words * operand_bits, word{});
    return reinterpret_cast<uint64_t *>(e.words.data());
}
extern "C" void system_state(void *simulation, int64_t *out) {
    Environment &e = environment_of(simulation);
    out[0] = e.done, out[1] = e.cycles, out[2] = e.words_read, out[3] = e.words_written;
}
