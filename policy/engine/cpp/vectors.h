// Vectors of 16 floats, what float and bf16 become in them, and what is computed of them. They are those of GCC and clang:
// they become what the machine has, AVX-512 or NEON or scalars.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include "team.h"

namespace {

struct bf16 {
    uint16_t bits;
};

constexpr Index W = 16;  // lanes of a vector
using Float = float __attribute__((vector_size(4 * W)));
using Int = int32_t __attribute__((vector_size(4 * W)));
using Short = uint16_t __attribute__((vector_size(2 * W)));

template <class To, class From> To bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof(to));
    return to;
}

Float widen(const float* p) {
    Float x;
    std::memcpy(&x, p, sizeof(x));
    return x;
}

Float widen(const bf16* p) {
    Short x;
    std::memcpy(&x, p, sizeof(x));
    return bits<Float>(__builtin_convertvector(x, Int) << 16);
}

void narrow(float* p, Float x) { std::memcpy(p, &x, sizeof(x)); }

void narrow(bf16* p, Float x) {
    Int whole = bits<Int>(x);
    // to nearest, ties to even; rounding up could carry a NaN over into a number
    whole = x == x ? whole + 0x7fff + ((whole >> 16) & 1) : Int{} + 0x7fc00000;
    Short half = __builtin_convertvector(whole >> 16, Short);
    std::memcpy(p, &half, sizeof(half));
}

// the first n lanes, zeros behind; n >= W: all
template <class T> Float load(const T* p, Index n) {
    if (n >= W) return widen(p);
    T padded[W] = {};
    std::memcpy(padded, p, n * sizeof(T));
    return widen(padded);
}

// what a dot product takes in at once: 16 floats, or 32 bf16, which are added up in pairs
using Pairs = Int;
template <class T> constexpr Index LANES = 4 * W / sizeof(T);

inline Float lanes(const float* p, Index n) { return load(p, n); }

inline Pairs lanes(const bf16* p, Index n) {
    bf16 padded[LANES<bf16>] = {};
    if (n < LANES<bf16>) p = static_cast<bf16*>(std::memcpy(padded, p, n * sizeof(bf16)));
    Pairs x;
    std::memcpy(&x, p, sizeof(x));
    return x;
}

inline void fma(Float& y, Float a, Float b) { y += a * b; }

inline void fma(Float& y, Pairs a, Pairs b) {
#ifdef __AVX512BF16__
    y = bits<Float>(_mm512_dpbf16_ps(bits<__m512>(y), bits<__m512bh>(a), bits<__m512bh>(b)));
#else
    constexpr int32_t second = 0xffff0000;
    y += bits<Float>(a << 16) * bits<Float>(b << 16) + bits<Float>(a & second) * bits<Float>(b & second);
#endif
}

template <class T> void store(T* p, Float x, Index n) {
    if (n >= W) return narrow(p, x);
    T padded[W];
    narrow(padded, x);
    std::memcpy(p, padded, n * sizeof(T));
}

using Quarter = float __attribute__((vector_size(W)));

Quarter quarter(Float x) {
    using Half = float __attribute__((vector_size(2 * W)));
    Half half[2];
    std::memcpy(half, &x, sizeof(x));
    half[0] += half[1];
    Quarter quarter[2];
    std::memcpy(quarter, half, sizeof(half[0]));
    return quarter[0] + quarter[1];
}

float sum(Float x) {
    const Quarter q = quarter(x);
    return (q[0] + q[2]) + (q[1] + q[3]);
}

// four of these, in the same order, at once
Quarter sums(const Float* x) {
    const Quarter a = quarter(x[0]), b = quarter(x[1]), c = quarter(x[2]), d = quarter(x[3]);
    const Quarter ab = Quarter{a[0], b[0], a[1], b[1]} + Quarter{a[2], b[2], a[3], b[3]};
    const Quarter cd = Quarter{c[0], d[0], c[1], d[1]} + Quarter{c[2], d[2], c[3], d[3]};
    return Quarter{ab[0], ab[1], cd[0], cd[1]} + Quarter{ab[2], ab[3], cd[2], cd[3]};
}

// Cephes' expf, x <= 88: 2^n e^r with |r| <= ln(2) / 2, 2 ulp; below -87: e^-87
Float exponential(Float x) {
    x = x < -87.f ? Float{} - 87.f : x;
    Float n = (x * 1.44269504f + 12582912.f) - 12582912.f;  // rounded: 1.5 * 2^23 leaves no fraction
    Float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    Float p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.f;
    return p * bits<Float>((__builtin_convertvector(n, Int) + 127) << 23);
}

}  // namespace
