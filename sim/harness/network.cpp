// Runs batches of images through a verilated system: host commands in, external memory as declared, feature maps out.
// Usage: network JOB RESULT, binary files of little-endian 64-bit words; sim/network.py writes and reads them.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include "Vtop.h"
#include "memory.hpp"
#include "verilated.h"

using Words = std::vector<uint64_t>;

static Words read_file(const char *path) {
    std::ifstream in(path, std::ios::binary | std::ios::ate);
    Words words(in.tellg() / 8);
    in.seekg(0);
    in.read(reinterpret_cast<char *>(words.data()), words.size() * 8);
    return words;
}

struct Bench {
    VerilatedContext context;
    Vtop top{&context};
    Memory memory;
    uint64_t cycle = 0, limit = 0;

    void tick() {
        top.request_ready = memory.request_ready();
        top.data_valid = memory.data_valid();
        top.data = memory.data_valid() ? memory.data() : 0;
        top.write_ready = memory.write_ready();
        top.clk = 0;
        top.eval();
        bool request = top.request_valid, take = top.data_ready, write = top.write_valid;
        uint64_t request_address = top.request_address, length = top.request_length;
        uint64_t write_address = top.write_address, value = top.write_data;
        sent = top.in_valid && top.in_ready;
        received = top.out_valid && top.out_ready;
        answer = top.out_data;
        top.clk = 1;
        top.eval();
        memory.edge(request, request_address, length, take, write, write_address, value);
        if (++cycle > limit) {
            fprintf(stderr, "the accelerator did not finish within %llu cycles\n", (unsigned long long)limit);
            exit(3);
        }
    }
    bool sent = false, received = false;
    uint64_t answer = 0;

    void send(uint64_t word) {
        top.in_valid = 1;
        top.in_data = word;
        do tick(); while (!sent);
        top.in_valid = 0;
    }
    uint64_t receive() {
        top.out_ready = 1;
        do tick(); while (!received);
        top.out_ready = 0;
        return answer;
    }
};

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    Words job = read_file(argv[1]);
    // header: operand bits, interval, stall seed, cycle limit per batch, entry words, memory words, image words, input address,
    // input words, output address, output words, batches; then the image, then each batch's input.
    enum { BITS, INTERVAL, STALL, LIMIT, ENTRY, MEMORY, IMAGE, IN_AT, IN_WORDS, OUT_AT, OUT_WORDS, BATCHES, HEADER };
    Bench bench;
    bench.context.randReset(2);
    bench.context.randSeed(1);
    bench.memory.words.assign(job[MEMORY], 0);
    bench.memory.interval = job[INTERVAL];
    bench.memory.random = job[STALL];
    bench.limit = 100;
    bench.top.in_valid = bench.top.out_ready = 0;
    bench.top.rst = 1;
    bench.tick();
    bench.tick();
    bench.top.rst = 0;
    bench.tick();  // the reset is a register, see sim/fast_verilog.py
    auto body = job.begin() + HEADER;
    std::copy(body, body + job[IMAGE], bench.memory.words.begin());
    body += job[IMAGE];
    Words result;
    for (uint64_t batch = 0; batch < job[BATCHES]; batch++) {
        std::copy(body, body + job[IN_WORDS], bench.memory.words.begin() + job[IN_AT]);
        body += job[IN_WORDS];
        bench.limit = bench.cycle + job[LIMIT];
        uint64_t command = 2 | job[ENTRY] << 8;  // RUN at address 0
        bench.send(command);
        if (job[BITS] == 32) bench.send(0);
        result.push_back(bench.receive());
        auto out = bench.memory.words.begin() + job[OUT_AT];
        result.insert(result.end(), out, out + job[OUT_WORDS]);
    }
    result.push_back(bench.memory.words_read);
    result.push_back(bench.memory.words_written);
    std::ofstream(argv[2], std::ios::binary).write(reinterpret_cast<char *>(result.data()), result.size() * 8);
    bench.top.final();
    return 0;
}
