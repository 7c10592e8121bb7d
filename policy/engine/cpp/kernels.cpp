// What a decoder does in a step on a CPU; native.py gives shapes and reasons.
//
// T is float or bf16; all is computed in fp32. A row's result depends on that row alone: the order of its sums is the
// order of its own elements, whatever else is in the batch and wherever its pages lie.

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "team.h"
#include "vectors.h"

namespace {

// scores, L of them, padded to whole vectors -> softmax(scale * scores), zeros in the padding
void softmax(float* s, Index L, float scale) {
    const Index padded = (L + W - 1) / W * W;
    const float top = *std::max_element(s, s + L);
    std::fill(s + L, s + padded, -std::numeric_limits<float>::infinity());
    Float total = {};
    for (Index i = 0; i < padded; i += W) {
        Float x = widen(s + i);
        Float e = x < -1e38f ? Float{} : exponential((x - top) * scale);
        narrow(s + i, e);
        total += e;
    }
    const float factor = 1.f / sum(total);
    for (Index i = 0; i < padded; i += W) narrow(s + i, widen(s + i) * factor);
}

// Q query heads, `padded` dims and `room` scores apart, to B keys
template <Index Q, Index B, class T>
void scores(const T* q, const T* k, float* s, Index D, Index padded, Index stride, Index room) {
    Float dots[Q][B] = {};
    for (Index d = 0; d < D; d += LANES<T>) {
        decltype(lanes(k, D)) key[B];
        for (Index j = 0; j < B; j++) key[j] = lanes(k + j * stride + d, D - d);
        for (Index g = 0; g < Q; g++) {
            const auto x = lanes(q + g * padded + d, LANES<T>);
            for (Index j = 0; j < B; j++) fma(dots[g][j], key[j], x);
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
void mix(const float* s, const T* v, float* o, Index D, Index padded, Index stride, Index room) {
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

template <class T> void fetch(const T* p, Index n) {
    for (Index i = 0; i < n; i += 64 / sizeof(T)) __builtin_prefetch(p + i, 0, 2);
}

// f(row), where rows are cheap
template <class F> void by_rows(int threads, Index R, F f) {
    constexpr Index some = 16;
    parallel(R > 4 * some ? threads : 1, (R + some - 1) / some, [&](Index block) {
        for (Index r = block * some; r < std::min(R, (block + 1) * some); r++) f(r);
    });
}

// a head's D dims, the first R of them turned -> y; `room` is for D floats
template <class T> void turn(const T* x, const float* cos, const float* sin, T* y, Index D, Index R, float* room) {
    for (Index d = 0; d < D; d += W) narrow(room + d, load(x + d, D - d));
    for (Index d = 0, half = R / 2; d < half; d++) {
        const float a = room[d], b = room[d + half];
        room[d] = a * cos[d] + b * sin[d];
        room[d + half] = b * cos[d + half] + a * sin[d + half];
    }
    for (Index d = 0; d < D; d += W) store(y + d, widen(room + d), D - d);
}

template <class T>
void attend(const T* q, Index q_stride, const T* k, Index k_stride, const T* v, Index v_stride, const float* cos,
            const float* sin, Index R, T* k_cache, T* v_cache, const int32_t* tables, Index width,
            const int32_t* requests, const int32_t* lengths, T* out, Index N, Index H, Index K, Index D, Index page,
            float scale, int threads) {
    const Index G = H / K, stride = K * D, padded = (D + LANES<T> - 1) / LANES<T> * LANES<T>;
    // first all that the step adds to the caches: rows of one request see one another
    by_rows(threads, N, [&](Index row) {
        thread_local std::vector<float> room;
        room.resize(padded);
        const Index place = lengths[row] - 1;
        const Index slot = tables[requests[row] * width + place / page] * page + place % page;
        for (Index kv = 0; kv < K; kv++)
            turn(k + row * k_stride + kv * D, cos + row * R, sin + row * R, k_cache + slot * stride + kv * D, D, R,
                 room.data());
        std::memcpy(v_cache + slot * stride, v + row * v_stride, stride * sizeof(T));
    });
    // a row is one piece of work, since its keys lie together in memory; fewer rows than threads are split by kv head
    const Index pieces = N >= threads ? 1 : std::min<Index>(K, (threads + N - 1) / N), some = (K + pieces - 1) / pieces;
    parallel(threads, N * pieces, [&](Index item) {
        thread_local std::vector<float> s, o, room;
        thread_local std::vector<T> query;
        const Index row = item / pieces, first = item % pieces * some, last = std::min(K, first + some);
        const int32_t* table = tables + requests[row] * width;
        const Index L = lengths[row], wide = (L + W - 1) / W * W;
        s.resize(H * wide), room.resize(padded);
        query.assign(H * padded, T{}), o.assign(H * padded, 0.f);
        // f(head, how many, key or value, its place, how many), B at a time, in the order of memory
        const auto walk = [&](const T* cache, auto B, auto f) {
            for (Index at = 0; at < L; at += page) {
                const T *p = cache + table[at / page] * page * stride, *ahead = nullptr;
                if (at + page < L) ahead = cache + table[at / page + 1] * page * stride;
                const Index n = std::min(page, L - at);
                const auto keys = [&](Index j, auto some) {
                    // pages lie anywhere, so the machine cannot see the next one coming
                    if (ahead) fetch(ahead + j * stride, some() * stride);
                    for (Index kv = first; kv < last; kv++)
                        by_heads(G, [&](Index g, auto Q) { f(kv * G + g, Q, p + j * stride + kv * D, at + j, some); });
                };
                Index j = 0;
                for (; j + B() <= n; j += B()) keys(j, B);
                for (; j < n; j++) keys(j, Count<1>{});
            }
        };
        for (Index h = first * G; h < last * G; h++)
            turn(q + row * q_stride + h * D, cos + row * R, sin + row * R, &query[h * padded], D, R, room.data());
        walk(k_cache, Count<4>{}, [&](Index h, auto Q, const T* k, Index at, auto B) {
            scores<Q(), B()>(&query[h * padded], k, &s[h * wide + at], D, padded, stride, wide);
        });
        for (Index h = first * G; h < last * G; h++) softmax(&s[h * wide], L, scale);
        walk(v_cache, Count<8>{}, [&](Index h, auto Q, const T* v, Index at, auto B) {
            mix<Q(), B()>(&s[h * wide + at], v, &o[h * padded], D, padded, stride, wide);
        });
        for (Index h = first * G; h < last * G; h++)
            for (Index d = 0; d < D; d += W)
                store(out + (row * H + h) * D + d, widen(&o[h * padded + d]), D - d);
    });
}

template <class T> void rms_norm(const T* x, const T* weight, T* y, Index R, Index E, float eps, int threads) {
    by_rows(threads, R, [&](Index r) {
        const T* row = x + r * E;
        Float squares = {};
        for (Index e = 0; e < E; e += W) {
            const Float a = load(row + e, E - e);
            squares += a * a;
        }
        const float factor = 1.f / std::sqrt(sum(squares) / E + eps);
        for (Index e = 0; e < E; e += W)
            store(y + r * E + e, load(row + e, E - e) * factor * load(weight + e, E - e), E - e);
    });
}

template <class T> void swiglu(const T* gate_up, T* y, Index R, Index F, int threads) {
    by_rows(threads, R, [&](Index r) {
        const T *gate = gate_up + 2 * r * F, *up = gate + F;
        for (Index f = 0; f < F; f += W) {
            const Float x = load(gate + f, F - f);
            T silu[W];  // rounded here too, as torch does
            narrow(silu, x / (exponential(x < -87.f ? Float{} + 87.f : -x) + 1.f));
            store(y + r * F + f, widen(silu) * load(up + f, F - f), F - f);
        }
    });
}

// Linear layers: weights lie in panels of P outputs, and in a panel input after input.

constexpr Index VECTORS = 3, P = VECTORS * W;
#ifdef __AVX512F__
constexpr Index ROWS = 8;  // with their sums in 24 of 32 registers
#else
constexpr Index ROWS = 2;
#endif

// an input of a row, in bf16 two, on all lanes
inline Float spread(const float* x, Index, Index) { return Float{} + *x; }

inline Pairs spread(const bf16* x, Index i, Index I) {
    return Pairs{} + int32_t(x[0].bits | (i + 1 < I ? uint32_t(x[1].bits) << 16 : 0));
}

// R rows of one panel
template <Index R, class T>
void panel(const T* x, const T* w, const T* bias, T* y, Index I, Index O, Index n) {
    constexpr Index step = LANES<T> / W;
    Float sums[R][VECTORS] = {};
    for (Index i = 0; i < I; i += step, w += step * P)
        for (Index r = 0; r < R; r++) {
            const auto value = spread(x + r * I + i, i, I);
            for (Index v = 0; v < VECTORS; v++) fma(sums[r][v], lanes(w + v * LANES<T>, LANES<T>), value);
        }
    for (Index v = 0; v < VECTORS && v * W < n; v++) {
        const Index left = n - v * W;
        const Float b = bias ? load(bias + v * W, left) : Float{};
        for (Index r = 0; r < R; r++) store(y + r * O + v * W, sums[r][v] + b, left);
    }
}

template <class T>
void linear(const T* x, const T* w, const T* bias, T* y, Index R, Index I, Index O, int threads) {
    constexpr Index step = LANES<T> / W;
    const Index panels = (O + P - 1) / P, size = (I + step - 1) / step * step * P;
    parallel(R * I * O > 65536 ? threads : 1, panels, [&](Index p) {
        const Index n = std::min(P, O - p * P);
        const T* b = bias ? bias + p * P : nullptr;
        const auto rows = [&](Index r, auto some) {
            panel<some()>(x + r * I, w + p * size, b, y + r * O + p * P, I, O, n);
        };
        Index r = 0;
        for (; r + ROWS <= R; r += ROWS) rows(r, Count<ROWS>{});
        by_count<ROWS - 1>(R - r, [&](auto some) { rows(r, some); });
    });
}

}  // namespace

#define KERNELS(T, name)                                                                                             \
    void attend_##name(const T* q, Index q_stride, const T* k, Index k_stride, const T* v, Index v_stride,          \
                       const float* cos, const float* sin, Index R, T* k_cache, T* v_cache, const int32_t* tables,  \
                       Index width, const int32_t* requests, const int32_t* lengths, T* out, Index N, Index H,      \
                       Index K, Index D, Index page, float scale, int threads) {                                    \
        attend(q, q_stride, k, k_stride, v, v_stride, cos, sin, R, k_cache, v_cache, tables, width, requests,       \
               lengths, out, N, H, K, D, page, scale, threads);                                                     \
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
