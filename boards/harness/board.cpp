// A verilated board whose serial pins hang on a pseudo-terminal: bytes from there go to the pin `rx` bit by bit, and what the pin
// `tx` sends goes back. Usage: board DESCRIPTOR DIVISOR. Ends when the terminal is closed.
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <poll.h>
#include <unistd.h>
#include "Vtop.h"
#include "verilated.h"

struct Board {
    VerilatedContext context;
    Vtop top{&context};
    int terminal, divisor;
    std::deque<unsigned char> waiting;  // bytes for the board
    int sending = 0, send_timer = 0;    // bits left of a byte on rx, and cycles left of this bit
    unsigned send_bits = 0;
    int receiving = 0, receive_timer = 0;
    unsigned receive_bits = 0;

    void cycle() {
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
    }
    void drive() {
        if (sending == 0 && !waiting.empty()) {
            send_bits = 1u << 9 | waiting.front() << 1;  // stop bit, byte, start bit
            waiting.pop_front();
            sending = 10, send_timer = divisor;
        }
        top.rx = sending ? send_bits & 1 : 1;
        if (sending && --send_timer == 0) send_bits >>= 1, --sending, send_timer = divisor;
    }
    void observe() {
        if (receiving == 0) {
            if (!top.tx) receiving = 9, receive_timer = divisor + divisor / 2, receive_bits = 0;
        } else if (--receive_timer == 0) {
            receive_timer = divisor;
            if (--receiving > 0)
                receive_bits = receive_bits >> 1 | (top.tx ? 0x80 : 0);
            else if (top.tx) {
                unsigned char byte = receive_bits;
                if (write(terminal, &byte, 1) != 1) exit(0);
            }
        }
    }
    bool quiet() const { return waiting.empty() && sending == 0 && receiving == 0 && !top.busy && top.tx; }

    // Take what the terminal has; with nothing to do, sleep until there is something.
    void listen(bool idle) {
        pollfd descriptor{terminal, POLLIN, 0};
        if (poll(&descriptor, 1, idle ? 1000 : 0) <= 0) return;
        unsigned char bytes[256];
        ssize_t count = read(terminal, bytes, sizeof bytes);
        if (count <= 0) exit(0);
        waiting.insert(waiting.end(), bytes, bytes + count);
    }
};

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    Board board;
    board.terminal = atoi(argv[1]);
    board.divisor = atoi(argv[2]);
    board.context.randReset(2);
    board.context.randSeed(1);
    board.top.rx = 1;
    board.top.rst = 1;
    for (int i = 0; i < 4; i++) board.cycle();
    board.top.rst = 0;
    for (uint64_t cycle = 0, idle = 0;; cycle++) {
        idle = board.quiet() ? idle + 1 : 0;
        bool asleep = idle > 64;  // the last byte has gone through the registers behind the pin
        if (asleep || cycle % 1024 == 0) board.listen(asleep);
        if (asleep && board.waiting.empty()) continue;
        board.drive();
        board.cycle();
        board.observe();
    }
}
