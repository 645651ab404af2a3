// A verilated model's ports from and to files: limbs of 64 bits, the lowest first.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

template <class T> void put(T &port, FILE *file) {
    uint64_t limb = 0;
    if constexpr (std::is_integral_v<T>) {
        if (fread(&limb, 8, 1, file) != 1) abort();
        port = T(limb);
    } else {
        for (size_t i = 0; i < sizeof(T) / 4; ++i) {
            if (i % 2 == 0 && fread(&limb, 8, 1, file) != 1) abort();
            port[i] = uint32_t(limb >> (i % 2 * 32));
        }
    }
}

template <class T> void get(const T &port, FILE *file) {
    if constexpr (std::is_integral_v<T>) {
        uint64_t limb = port;
        fwrite(&limb, 8, 1, file);
    } else {
        for (size_t i = 0; i < sizeof(T) / 4; i += 2) {
            uint64_t limb = port[i] | (i + 1 < sizeof(T) / 4 ? uint64_t(port[i + 1]) << 32 : 0);
            fwrite(&limb, 8, 1, file);
        }
    }
}
