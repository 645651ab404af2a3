// The declared external memory (see sw/cycles.py): one read burst at a time, one word every `interval` cycles, writes apart.
// With a stall seed both channels also pause at random; then results must stay equal and cycles mean nothing.
#pragma once
#include <cstdint>
#include <vector>

struct Memory {
    std::vector<uint64_t> words;
    int interval = 1;
    uint64_t random = 0;  // 0: no stalls

    bool bursting = false;
    uint64_t address = 0, left = 0;
    int read_wait = 0, write_wait = 0;
    bool stall_read = false, stall_write = false, stall_request = false;
    uint64_t words_read = 0, words_written = 0;

    bool request_ready() const { return !bursting && !stall_request; }
    bool data_valid() const { return bursting && read_wait == 0 && !stall_read; }
    uint64_t data() const { return words[address]; }
    bool write_ready() const { return write_wait == 0 && !stall_write; }

    bool coin() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return (random & 3) == 0;
    }
    // One clock edge, with what the accelerator offered in the cycle before it.
    void edge(bool request, uint64_t request_address, uint64_t length, bool take, bool write, uint64_t write_address, uint64_t value) {
        bool begun = request && request_ready(), taken = take && data_valid(), written = write && write_ready();
        if (taken) {
            address++;
            words_read++;
            if (--left == 0) bursting = false;
            read_wait = interval;
        }
        if (begun) {
            bursting = length != 0;
            address = request_address;
            left = length;
            read_wait = interval;
        }
        if (read_wait) read_wait--;
        if (written) {
            words.at(write_address) = value;
            words_written++;
            write_wait = interval;
        }
        if (write_wait) write_wait--;
        if (random) stall_read = coin(), stall_write = coin(), stall_request = coin();
    }
};
