// Threads that do one thing many times, and then wait for the next.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using Index = int64_t;

// The threads of one caller. OpenMP's go to sleep within a microsecond where a process has more of them than cores, and
// waking them costs more than most of this file; these stay awake for as long as a step lasts between two calls.
class Team {
  public:
    explicit Team(int threads) {
        for (int i = 1; i < threads; i++) helpers.emplace_back([this] { help(); });
    }

    ~Team() {
        {
            std::lock_guard lock(mutex);
            over = true;
        }
        woken.notify_all();
        for (auto& helper : helpers) helper.join();
    }

    int threads() const { return helpers.size() + 1; }

    // f(0) to f(n - 1), each once, by whoever is free; it does not wait for helpers that are still waking up
    template <class F> void each(Index n, F f) {
        if (n < 2 || helpers.empty()) {
            for (Index i = 0; i < n; i++) f(i);
            return;
        }
        call = [](void* f, Index i) { (*static_cast<F*>(f))(i); };
        argument = &f, count = n, next = 0;
        open = true;
        job++;
        if (asleep) {
            std::lock_guard lock(mutex);
            woken.notify_all();
        }
        work();
        open = false;
        while (inside) relax();
    }

  private:
    static void relax() {
#ifdef __x86_64__
        __builtin_ia32_pause();
#endif
    }

    void work() {
        for (Index i; (i = next++) < count;) call(argument, i);
    }

    void help() {
        using clock = std::chrono::steady_clock;
        for (uint64_t seen = 0; !over;) {
            const auto until = clock::now() + std::chrono::microseconds(100);
            while (job == seen && clock::now() < until) relax();
            if (job == seen) {
                std::unique_lock lock(mutex);
                asleep++;
                woken.wait(lock, [&] { return job != seen || over; });
                asleep--;
            }
            seen = job;
            inside++;  // before `open` is read: a job whose end is near is left alone, or its caller waits
            if (open) work();
            inside--;
        }
    }

    std::vector<std::thread> helpers;
    std::mutex mutex;
    std::condition_variable woken;
    std::atomic<uint64_t> job = 0;
    std::atomic<Index> next = 0;
    std::atomic<int> asleep = 0, inside = 0;
    std::atomic<bool> open = false, over = false;
    void (*call)(void*, Index) = nullptr;
    void* argument = nullptr;
    Index count = 0;
};

// the calling thread's; one alone does small things
template <class F> void parallel(int threads, Index n, F f) {
    thread_local std::unique_ptr<Team> team;
    if (threads < 2) {
        for (Index i = 0; i < n; i++) f(i);
        return;
    }
    if (!team || team->threads() != threads) team = std::make_unique<Team>(threads);
    team->each(n, f);
}

}  // namespace
