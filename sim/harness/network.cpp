// Runs batches of images through a verilated system: host commands in, external memory as declared, feature maps out.
// Usage: network JOB RESULT [JOB RESULT ...], binary files of little-endian 64-bit words; sim/network.py writes and reads them.
// Jobs run one after the other on one accelerator, reset once; each finds an external memory of its own.
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

// header: operand bits, interval, stall seed, cycle limit per batch, entry words, memory words, image words, input address,
// input words, output address, output words, batches; then the image, then each batch's input.
enum { BITS, INTERVAL, STALL, LIMIT, ENTRY, MEMORY, IMAGE, IN_AT, IN_WORDS, OUT_AT, OUT_WORDS, BATCHES, HEADER };

static Words run(Bench &bench, const Words &job) {
    bench.memory = Memory();
    bench.memory.words.assign(job[MEMORY], 0);
    bench.memory.interval = job[INTERVAL];
    bench.memory.random = job[STALL];
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
    return result;
}

int main(int argc, char **argv) {
    if (argc < 3 || argc % 2 == 0) return 2;
    Bench bench;
    bench.context.randReset(2);
    bench.context.randSeed(1);
    bench.limit = 100;
    bench.top.in_valid = bench.top.out_ready = 0;
    bench.top.rst = 1;
    bench.tick();
    bench.tick();
    bench.top.rst = 0;
    bench.tick();  // the reset is a register, see sim/fast_verilog.py
    for (int i = 1; i < argc; i += 2) {
        Words result = run(bench, read_file(argv[i]));
        std::ofstream(argv[i + 1], std::ios::binary).write(reinterpret_cast<char *>(result.data()), result.size() * 8);
    }
    bench.top.final();
    return 0;
}
