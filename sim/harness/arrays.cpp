// Runs a verilated design on arrays. Arguments: streams, reset cycles, cycles. Reads `stimulus`, writes `outputs`: for every stream
// and cycle the limbs of 64 bits of every port in turn. The generator fills in what concerns the ports.
#include "Vtop.h"
#include "ports.hpp"
#include "verilated.h"
#include <memory>

int main(int, char **arguments) {
    VerilatedContext context;
    long streams = atol(arguments[1]), before = atol(arguments[2]), cycles = atol(arguments[3]);
    FILE *in = fopen("stimulus", "rb"), *out = fopen("outputs", "wb");
    if (!in || !out) return 1;
    for (long stream = 0; stream < streams; ++stream) {
        auto top = std::make_unique<Vtop>(&context);
        for (long c = -before; c < cycles; ++c) {
            @CLOCK_LOW@
            @PUT@
            top->eval();
            if (c >= 0) { @GET@ }
            @CLOCK_HIGH@
            top->eval();
        }
        top->final();
    }
    return fclose(out) == 0 ? 0 : 1;
}
