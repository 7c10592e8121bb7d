// What a decoder does in a step on a CPU; native.py gives shapes and reasons.
//
// T is float or bf16; all is computed in fp32. A row's result depends on that row alone: the order of its sums is the
// order of its own elements, whatever else is in the batch and wherever its pages lie. The vectors are those of GCC
// and clang: they become what the machine has, AVX-512 or NEON or scalars.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

using Index = int64_t;
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

// scores, L of them, padded to whole vectors -> weights that sum to 1, zeros in the padding
void softmax(float* s, Index L) {
    const Index padded = (L + W - 1) / W * W;
    const float top = *std::max_element(s, s + L);
    std::fill(s + L, s + padded, -std::numeric_limits<float>::infinity());
    Float total = {};
    for (Index i = 0; i < padded; i += W) {
        Float x = widen(s + i);
        Float e = x < -1e38f ? Float{} : exponential(x - top);
        narrow(s + i, e);
        total += e;
    }
    const float factor = 1.f / sum(total);
    for (Index i = 0; i < padded; i += W) narrow(s + i, widen(s + i) * factor);
}

// Q query heads, `room` scores apart, to B keys
template <Index Q, Index B, class T>
void scores(const float* q, const T* k, float* s, Index D, Index stride, Index room) {
    const Index padded = (D + W - 1) / W * W;
    Float dots[Q][B] = {};
    for (Index d = 0; d < D; d += W) {
        Float key[B];
        for (Index j = 0; j < B; j++) key[j] = load(k + j * stride + d, D - d);
        for (Index g = 0; g < Q; g++) {
            const Float x = widen(q + g * padded + d);
            for (Index j = 0; j < B; j++) dots[g][j] += x * key[j];
        }
    }
    for (Index g = 0; g < Q; g++) {
        if constexpr (B == 4) {
            const Quarter four = sums(dots[g]);
            std::memcpy(s + g * room, &four, sizeof(four));
        } else {
            for (Index j = 0; j < B; j++) s[g * room + j] = sum(dots[g][j]);
        }
    }
}

// B values, weighted, onto Q outputs
template <Index Q, Index B, class T>
void mix(const float* s, const T* v, float* o, Index D, Index stride, Index room) {
    const Index padded = (D + W - 1) / W * W;
    for (Index d = 0; d < D; d += W) {
        Float x[Q];
        for (Index g = 0; g < Q; g++) x[g] = widen(o + g * padded + d);
        for (Index j = 0; j < B; j++) {
            const Float value = load(v + j * stride + d, D - d);
            for (Index g = 0; g < Q; g++) x[g] += s[g * room + j] * value;
        }
        for (Index g = 0; g < Q; g++) narrow(o + g * padded + d, x[g]);
    }
}

template <Index n> using Count = std::integral_constant<Index, n>;

// f(Count<n>{}) for n = count, of 1 to Most, as a number known to the compiler; nothing for 0
template <Index Most, class F> void by_count(Index count, F f) {
    if constexpr (Most > 0) {
        if (count == Most) return f(Count<Most>{});
        by_count<Most - 1>(count, f);
    }
}

// f(first head, how many) for G heads: their sums stay in registers
template <class F> void by_heads(Index G, F f) {
    Index g = 0;
    for (; g + 4 <= G; g += 4) f(g, Count<4>{});
    by_count<3>(G - g, [&](auto n) { f(g, n); });
}

template <class T>
void attend(const T* q, Index q_stride, const T* k_cache, const T* v_cache, const int32_t* tables, Index width,
            const int32_t* lengths, T* out, Index N, Index H, Index K, Index D, Index page, float scale, int threads) {
    const Index G = H / K, padded = (D + W - 1) / W * W, stride = K * D;
    // a row is one piece of work, since its keys lie together in memory; fewer rows than threads are split by kv head
    const Index pieces = N >= threads ? 1 : std::min<Index>(K, (threads + N - 1) / N), some = (K + pieces - 1) / pieces;
#pragma omp parallel num_threads(threads)
    {
        std::vector<float> s, query(H * padded), o(H * padded);
#pragma omp for schedule(dynamic)
        for (Index item = 0; item < N * pieces; item++) {
            const Index row = item / pieces, first = item % pieces * some, last = std::min(K, first + some);
            const Index L = lengths[row], room = (L + W - 1) / W * W;
            s.resize(H * room);
            // f(head, how many, key or value, its place, how many) in the order of memory
            const auto walk = [&](const T* cache, auto f) {
                for (Index at = 0; at < L; at += page) {
                    const T* p = cache + tables[row * width + at / page] * page * stride;
                    const Index n = std::min(page, L - at);
                    const auto keys = [&](Index j, auto B) {
                        for (Index kv = first; kv < last; kv++)
                            by_heads(G, [&](Index g, auto Q) { f(kv * G + g, Q, p + j * stride + kv * D, at + j, B); });
                    };
                    Index j = 0;
                    for (; j + 4 <= n; j += 4) keys(j, Count<4>{});
                    for (; j < n; j++) keys(j, Count<1>{});
                }
            };
            for (Index h = first * G; h < last * G; h++)
                for (Index d = 0; d < D; d += W)
                    narrow(&query[h * padded + d], load(q + row * q_stride + h * D + d, D - d) * scale);
            walk(k_cache, [&](Index h, auto Q, const T* k, Index at, auto B) {
                scores<Q(), B()>(&query[h * padded], k, &s[h * room + at], D, stride, room);
            });
            for (Index h = first * G; h < last * G; h++) softmax(&s[h * room], L);
            std::fill(o.begin(), o.end(), 0.f);
            walk(v_cache, [&](Index h, auto Q, const T* v, Index at, auto B) {
                mix<Q(), B()>(&s[h * room + at], v, &o[h * padded], D, stride, room);
            });
            for (Index h = first * G; h < last * G; h++)
                for (Index d = 0; d < D; d += W)
                    store(out + (row * H + h) * D + d, widen(&o[h * padded + d]), D - d);
        }
    }
}

template <class T> void rms_norm(const T* x, const T* weight, T* y, Index R, Index E, float eps, int threads) {
#pragma omp parallel for num_threads(threads) if (R > 64)
    for (Index r = 0; r < R; r++) {
        const T* row = x + r * E;
        Float squares = {};
        for (Index e = 0; e < E; e += W) {
            const Float a = load(row + e, E - e);
            squares += a * a;
        }
        const float factor = 1.f / std::sqrt(sum(squares) / E + eps);
        for (Index e = 0; e < E; e += W)
            store(y + r * E + e, load(row + e, E - e) * factor * load(weight + e, E - e), E - e);
    }
}

template <class T> void swiglu(const T* gate_up, T* y, Index R, Index F, int threads) {
#pragma omp parallel for num_threads(threads) if (R > 64)
    for (Index r = 0; r < R; r++) {
        const T *gate = gate_up + 2 * r * F, *up = gate + F;
        for (Index f = 0; f < F; f += W) {
            const Float x = load(gate + f, F - f);
            T silu[W];  // rounded here too, as torch does
            narrow(silu, x / (exponential(x < -87.f ? Float{} + 87.f : -x) + 1.f));
            store(y + r * F + f, widen(silu) * load(up + f, F - f), F - f);
        }
    }
}


// Linear layers: weights lie in panels of P outputs, and in a panel input after input.

constexpr Index VECTORS = 3, P = VECTORS * W;
#ifdef __AVX512F__
constexpr Index ROWS = 8;  // with their sums in 24 of 32 registers
#else
constexpr Index ROWS = 2;
#endif

// y += one input of a row times its weights for W outputs; in bf16 inputs and weights come in pairs
inline void fma(Float& y, const float* w, float x) { y += widen(w) * x; }

inline void fma(Float& y, const bf16* w, uint32_t pair) {
#ifdef __AVX512BF16__
    y = (Float)_mm512_dpbf16_ps((__m512)y, (__m512bh)_mm512_loadu_si512(w), (__m512bh)_mm512_set1_epi32(pair));
#else
    Int both;
    std::memcpy(&both, w, sizeof(both));
    y += bits<Float>(both << 16) * bits<float>(pair << 16);
    y += bits<Float>(both & int32_t(0xffff0000)) * bits<float>(pair & 0xffff0000);
#endif
}

inline float input(const float* x, Index i, Index) { return x[i]; }

inline uint32_t input(const bf16* x, Index i, Index I) {
    return x[i].bits | (i + 1 < I ? uint32_t(x[i + 1].bits) << 16 : 0);
}

// R rows of one panel
template <Index R, class T>
void panel(const T* x, const T* w, const T* bias, T* y, Index I, Index O, Index n) {
    constexpr Index step = std::is_same_v<T, float> ? 1 : 2;
    Float sums[R][VECTORS] = {};
    for (Index i = 0; i < I; i += step, w += step * P)
        for (Index r = 0; r < R; r++) {
            const auto value = input(x + r * I, i, I);
            for (Index v = 0; v < VECTORS; v++) fma(sums[r][v], w + step * v * W, value);
        }
    for (Index v = 0; v < VECTORS && v * W < n; v++) {
        const Index left = n - v * W;
        const Float b = bias ? load(bias + v * W, left) : Float{};
        for (Index r = 0; r < R; r++) store(y + r * O + v * W, sums[r][v] + b, left);
    }
}

template <class T>
void linear(const T* x, const T* w, const T* bias, T* y, Index R, Index I, Index O, int threads) {
    constexpr Index step = std::is_same_v<T, float> ? 1 : 2;
    const Index panels = (O + P - 1) / P, size = (I + step - 1) / step * step * P;
#pragma omp parallel for num_threads(threads) if (R * I * O > 65536)
    for (Index p = 0; p < panels; p++) {
        const Index n = std::min(P, O - p * P);
        const T* b = bias ? bias + p * P : nullptr;
        Index r = 0;
        for (; r + ROWS <= R; r += ROWS) panel<ROWS>(x + r * I, w + p * size, b, y + r * O + p * P, I, O, n);
        by_count<ROWS - 1>(R - r, [&](auto rest) {
            panel<rest()>(x + r * I, w + p * size, b, y + r * O + p * P, I, O, n);
        });
    }
}
}  // namespace

#define KERNELS(T, name)                                                                                             \
    void attend_##name(const T* q, Index q_stride, const T* k, const T* v, const int32_t* tables, Index width,     \
                       const int32_t* lengths, T* out, Index N, Index H, Index K, Index D, Index page, float scale, \
                       int threads) {                                                                               \
        attend(q, q_stride, k, v, tables, width, lengths, out, N, H, K, D, page, scale, threads);                   \
    }                                                                                                                \
    void rms_norm_##name(const T* x, const T* weight, T* y, Index R, Index E, float eps, int threads) {             \
        rms_norm(x, weight, y, R, E, eps, threads);                                                                 \
    }                                                                                                                \
    void swiglu_##name(const T* gate_up, T* y, Index R, Index F, int threads) { swiglu(gate_up, y, R, F, threads); }  \
    void linear_##name(const T* x, const T* w, const T* bias, T* y, Index R, Index I, Index O, int threads) {         \
        linear(x, w, bias, y, R, I, O, threads);                                                                     \
    }

extern "C" {
KERNELS(float, float32)
KERNELS(bf16, bfloat16)
}
