// Runs one model from many threads at once, for ThreadSanitizer:
//
//   concurrent-sessions MODEL THREADS RUNS
//
// Each thread loads the model, makes sessions of its own, and uses one that all
// share, at several sizes. Every result must have the bits of a run alone. Ends
// with 0 and a line that counts the runs, or with 1 and what is wrong.
#include <tessera/tessera.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <map>

namespace {

constexpr int kSizeSets = 4;

/// The tensors of one run: sizes by symbol, inputs, and the bytes of the
/// outputs.
struct Case {
  struct Input {
    std::string name;
    TesseraElementType type;
    std::vector<std::int64_t> shape;
    std::vector<char> bytes;
  };
  std::vector<Input> inputs;
  std::vector<std::string> outputs;
};

/// Sizes that differ by `number`: the typical ones, then smaller ones.
std::map<std::string, std::int64_t> sizesOf(const tessera::Session &session,
                                            int number) {
  std::map<std::string, std::int64_t> sizes;
  const std::int64_t count = tessera_session_symbol_count(session.get());
  for (std::int64_t index = 0; index < count; ++index) {
    TesseraSymbolInfo info{};
    info.size = sizeof info;
    tessera::check(tessera_session_symbol(session.get(), index, &info));
    std::int64_t size = info.typical - number * (1 + index);
    if (size < info.min)
      size = info.min;
    sizes[info.name] = size < 1 ? 1 : size;
  }
  return sizes;
}

/// Small numbers that depend on `seed` only: floats in [-1, 1), integers and
/// booleans of 0 and 1, which index any table.
std::vector<char> fill(TesseraElementType type, std::int64_t elements,
                       unsigned seed) {
  const std::size_t bytes = (type.bits + 7) / 8;
  std::vector<char> data(std::size_t(elements) * bytes);
  std::uint32_t state = 2463534242u + seed;
  for (std::int64_t i = 0; i < elements; ++i) {
    state = state * 1664525u + 1013904223u;
    char *element = data.data() + std::size_t(i) * bytes;
    if (type.code == 2 && type.bits == 32) {
      const float value = float(state >> 8) / float(1 << 23) - 1.0f;
      std::memcpy(element, &value, sizeof value);
    } else if (type.code == 2 && type.bits == 64) {
      const double value = double(state >> 8) / double(1 << 23) - 1.0;
      std::memcpy(element, &value, sizeof value);
    } else if (type.code <= 1 || type.code == 6) {
      *element = char(state >> 31);
    }
  }
  return data;
}

Case makeCase(const tessera::Session &session, int number) {
  const std::map<std::string, std::int64_t> sizes = sizesOf(session, number);
  Case result;
  for (const tessera::Port &port : session.inputs()) {
    Case::Input input{port.name, port.type, {}, {}};
    std::int64_t elements = 1;
    for (std::size_t axis = 0; axis < port.shape.size(); ++axis) {
      const std::int64_t size = port.symbols[axis].empty()
                                    ? port.shape[axis]
                                    : sizes.at(port.symbols[axis]);
      input.shape.push_back(size);
      elements *= size;
    }
    input.bytes = fill(port.type, elements, unsigned(number));
    result.inputs.push_back(std::move(input));
  }
  return result;
}

std::vector<std::string> run(const tessera::Session &session, Case &inputs) {
  std::vector<std::pair<std::string, tessera::View>> views;
  for (Case::Input &input : inputs.inputs)
    views.emplace_back(
        input.name, tessera::View(input.bytes.data(), input.type, input.shape));
  std::vector<std::string> results;
  for (const tessera::Tensor &tensor : session.run(std::move(views)))
    results.emplace_back(static_cast<const char *>(tensor.bytes()),
                         std::size_t(tensor.size()) *
                             ((tensor.type().bits + 7) / 8));
  return results;
}

tessera::Session load(const char *model, int threads) {
  TesseraSessionOptions options{};
  options.threads = threads;
  return tessera::Session(model, options);
}

} // namespace

int main(int argc, char **argv) try {
  if (argc != 4) {
    std::puts("usage: concurrent-sessions MODEL THREADS RUNS");
    return 2;
  }
  const char *model = argv[1];
  const int threadCount = std::atoi(argv[2]), runs = std::atoi(argv[3]);

  std::vector<Case> cases;
  {
    const tessera::Session alone = load(model, 1);
    for (int number = 0; number < kSizeSets; ++number) {
      cases.push_back(makeCase(alone, number));
      cases.back().outputs = run(alone, cases.back());
    }
  }
  const tessera::Session shared = load(model, 2);
  std::atomic<int> done{0}, wrong{0};
  auto work = [&](int number) {
    try {
      const tessera::Session own = load(model, 1 + number % 3);
      for (int repeat = 0; repeat < runs; ++repeat)
        for (const tessera::Session *session : {&own, &shared}) {
          Case inputs = cases[std::size_t(number + repeat) % kSizeSets];
          wrong += run(*session, inputs) != inputs.outputs;
          ++done;
        }
    } catch (const tessera::Error &error) {
      std::puts(error.what());
      ++wrong;
    }
  };
  // Where one cannot be started, those before it are waited for.
  std::vector<std::future<void>> threads;
  for (int number = 0; number < threadCount; ++number)
    threads.push_back(std::async(std::launch::async, work, number));
  for (std::future<void> &thread : threads)
    thread.get();
  std::printf("%d runs, %d wrong\n", done.load(), wrong.load());
  return wrong ? 1 : 0;
} catch (const tessera::Error &error) {
  std::puts(error.what());
  return 1;
}
