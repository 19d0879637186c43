// C++ over the C API of the runtime (runtime.h) and of the compiler
// (tessera.h). Header only, C++17; link Tessera::runtime, and Tessera::compiler
// if you call tessera::compile. Errors are thrown as tessera::Error.
//
//   tessera::Session session("model.so");
//   std::vector<float> x(6);
//   auto outputs = session.run({{"x", tessera::view(x.data(), {2, 3})}});
//   const float *y = outputs[0].data<float>();
#ifndef TESSERA_TESSERA_HPP
#define TESSERA_TESSERA_HPP

#include "tessera/runtime.h"
#include "tessera/tessera.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tessera {

/// A failure; what() is the message for people.
class Error : public std::runtime_error {
public:
  Error(int status, const std::string &message)
      : std::runtime_error(message), code(status) {}
  /// A TesseraStatus, or a TesseraCompileStatus from compile().
  int status() const { return code; }

private:
  int code;
};

inline void check(TesseraStatus status) {
  if (status != TESSERA_OK)
    throw Error(status, tessera_error_message());
}

inline bool operator==(TesseraElementType a, TesseraElementType b) {
  return a.code == b.code && a.bits == b.bits;
}

/// The element type of a C++ type: integers, float, double, bool.
template <typename T> constexpr TesseraElementType elementType() {
  static_assert(std::is_arithmetic_v<T>, "give the element type explicitly");
  constexpr std::uint8_t code = std::is_same_v<T, bool>       ? 6
                                : std::is_floating_point_v<T> ? 2
                                : std::is_unsigned_v<T>       ? 1
                                                              : 0;
  return {code, std::uint8_t(sizeof(T) * 8)};
}

/// A tensor in memory that the caller owns and keeps until the run is over.
class View {
public:
  /// Dense row-major, or with `strides` in elements. `type` for element types
  /// that C++ does not have: float16 is {2, 16}, bfloat16 {4, 16}.
  View(void *data, TesseraElementType type, std::vector<std::int64_t> sizes,
       std::vector<std::int64_t> strides = {})
      : sizes(std::move(sizes)), steps(std::move(strides)) {
    content.data = data;
    content.deviceType = 1;
    content.type = type;
    content.lanes = 1;
  }

  /// The memory of a `DLTensor *`, cast to `const TesseraTensor *`.
  explicit View(const TesseraTensor &tensor)
      : sizes(tensor.shape, tensor.shape + tensor.rank), content(tensor) {
    if (tensor.strides)
      steps.assign(tensor.strides, tensor.strides + tensor.rank);
  }

  const std::vector<std::int64_t> &shape() const { return sizes; }

  /// The tensor in C, valid as long as this object stays where it is.
  const TesseraTensor *get() {
    content.rank = std::int32_t(sizes.size());
    content.shape = sizes.data();
    content.strides = steps.empty() ? nullptr : steps.data();
    return &content;
  }

private:
  std::vector<std::int64_t> sizes, steps;
  TesseraTensor content{};
};

template <typename T>
View view(T *data, std::vector<std::int64_t> sizes,
          std::vector<std::int64_t> strides = {}) {
  using Element = std::remove_const_t<T>;
  return View(const_cast<Element *>(data), elementType<Element>(),
              std::move(sizes), std::move(strides));
}

/// An output: owns its memory, also beyond the session.
class Tensor {
public:
  explicit Tensor(TesseraManagedTensor *managed) : managed(managed) {}

  std::vector<std::int64_t> shape() const {
    const TesseraTensor &tensor = managed->tensor;
    return std::vector<std::int64_t>(tensor.shape, tensor.shape + tensor.rank);
  }
  std::int64_t size() const {
    std::int64_t count = 1;
    for (std::int64_t length : shape())
      count *= length;
    return count;
  }
  TesseraElementType type() const { return managed->tensor.type; }

  /// The elements, dense row-major. Throws if T is not the element type.
  template <typename T> const T *data() const {
    if (!(type() == elementType<T>()))
      throw Error(TESSERA_INVALID_ARGUMENT,
                  std::string("the tensor's elements are ") +
                      tessera_type_name(type()));
    return static_cast<const T *>(bytes());
  }
  const void *bytes() const {
    return static_cast<const char *>(managed->tensor.data) +
           managed->tensor.byteOffset;
  }

  /// For DLPack 1.x consumers (DLManagedTensorVersioned), who then own it.
  TesseraManagedTensor *release() { return managed.release(); }

  /// Another owner of the same memory, for several consumers.
  Tensor share() const {
    TesseraManagedTensor *shared = nullptr;
    check(tessera_tensor_share(managed.get(), &shared));
    return Tensor(shared);
  }

private:
  struct Release {
    void operator()(TesseraManagedTensor *tensor) const {
      tessera_tensor_release(tensor);
    }
  };
  std::unique_ptr<TesseraManagedTensor, Release> managed;
};

/// An input, an output or a tap of a session.
struct Port {
  std::string name;
  TesseraElementType type;
  /// -1 where the size is known at run time only.
  std::vector<std::int64_t> shape;
  /// Name or expression of such a size, else "".
  std::vector<std::string> symbols;
};

/// One task of a parallel loop.
using Task = std::function<void(std::int64_t task, std::int64_t worker)>;

/// The host's threads: calls run(task, worker) for each task from 0 to tasks-1,
/// on any threads, and returns when all have ended. `worker` is below the
/// number of workers, and no two tasks run at once with the same one. It must
/// not throw.
using ParallelFor = std::function<void(std::int64_t tasks, const Task &run)>;

/// A loaded model, ready to run. Threads may run one session at once.
class Session {
public:
  /// `options.size` and `weights.size` are set here.
  explicit Session(const std::string &path, TesseraSessionOptions options = {},
                   TesseraLoadOptions weights = {}) {
    options.size = sizeof options;
    weights.size = sizeof weights;
    TesseraModel *model = nullptr;
    check(tessera_model_load(path.c_str(), &weights, &model));
    std::unique_ptr<TesseraModel, void (*)(TesseraModel *)> owner(
        model, tessera_model_release);
    TesseraSession *created = nullptr;
    check(tessera_session_create(model, &options, &created));
    session.reset(created);
  }

  /// A session that runs on the host's threads.
  Session(const std::string &path, ParallelFor parallelFor,
          std::int64_t workers)
      : pool(std::make_unique<ParallelFor>(std::move(parallelFor))) {
    TesseraSessionOptions options{};
    options.size = sizeof options;
    options.pool = pool.get();
    options.maxWorkers = workers;
    options.parallelFor = [](void *pool, TesseraTask task, void *captures,
                             std::int64_t tasks) {
      (*static_cast<ParallelFor *>(pool))(
          tasks, [=](std::int64_t index, std::int64_t worker) {
            task(captures, index, worker);
          });
    };
    TesseraSession *created = nullptr;
    check(tessera_session_open(path.c_str(), &options, &created));
    session.reset(created);
  }

  std::vector<Port> inputs() const { return ports(TESSERA_INPUTS); }
  std::vector<Port> outputs() const { return ports(TESSERA_OUTPUTS); }
  std::vector<Port> taps() const { return ports(TESSERA_TAPS); }
  std::int64_t threads() const { return tessera_session_threads(get()); }

  /// Runs the model; returns the outputs, or those called `names`.
  std::vector<Tensor> run(std::vector<std::pair<std::string, View>> inputs,
                          std::vector<std::string> names = {}) const {
    if (names.empty())
      for (const Port &port : outputs())
        names.push_back(port.name);
    std::vector<TesseraInputBinding> given;
    for (auto &input : inputs)
      given.push_back({input.first.c_str(), input.second.get()});
    std::vector<TesseraOutputBinding> wanted;
    for (const std::string &name : names)
      wanted.push_back({name.c_str(), nullptr});
    check(tessera_session_run(get(), given.data(), std::int64_t(given.size()),
                              wanted.data(), std::int64_t(wanted.size())));
    std::vector<Tensor> results;
    for (const TesseraOutputBinding &binding : wanted)
      results.emplace_back(binding.tensor);
    return results;
  }

  /// Runs the model into memory of the caller: `outputs` have the type and
  /// shape of the outputs or taps that they name, and are dense.
  void runInto(std::vector<std::pair<std::string, View>> outputs,
               std::vector<std::pair<std::string, View>> inputs) const {
    std::vector<TesseraInputBinding> given;
    for (auto &input : inputs)
      given.push_back({input.first.c_str(), input.second.get()});
    std::vector<TesseraManagedTensor> targets(outputs.size());
    std::vector<TesseraOutputBinding> wanted;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      targets[i].versionMajor = 1;
      targets[i].tensor = *outputs[i].second.get();
      wanted.push_back({outputs[i].first.c_str(), &targets[i]});
    }
    check(tessera_session_run(get(), given.data(), std::int64_t(given.size()),
                              wanted.data(), std::int64_t(wanted.size())));
  }

  /// For the functions of runtime.h.
  TesseraSession *get() const { return session.get(); }

private:
  std::vector<Port> ports(TesseraPortGroup group) const {
    std::vector<Port> result;
    const std::int64_t count = tessera_session_port_count(get(), group);
    for (std::int64_t index = 0; index < count; ++index) {
      TesseraPortInfo info{};
      info.size = sizeof info;
      check(tessera_session_port(get(), group, index, &info));
      Port port{info.name, info.type, {}, {}};
      for (std::int32_t axis = 0; axis < info.rank; ++axis) {
        port.shape.push_back(info.dims[axis]);
        port.symbols.push_back(info.symbols[axis] ? info.symbols[axis] : "");
      }
      result.push_back(std::move(port));
    }
    return result;
  }

  struct Release {
    void operator()(TesseraSession *session) const {
      tessera_session_release(session);
    }
  };
  std::unique_ptr<ParallelFor> pool; // outlives the session
  std::unique_ptr<TesseraSession, Release> session;
};

/// Compiles the ONNX model `input` to the shared library `output`, in a child
/// process unless `inProcess`. Options as in tessera_compile. Throws Error with
/// the compiler's diagnostics, one a line.
inline void
compile(const std::string &input, const std::string &output,
        const std::vector<std::pair<std::string, std::string>> &options = {},
        bool inProcess = false) {
  std::vector<TesseraCompileOption> flags;
  for (const auto &option : options)
    flags.push_back({option.first.c_str(), option.second.c_str()});
  std::string messages;
  auto collect = [](void *user, const char *message) {
    std::string &all = *static_cast<std::string *>(user);
    all += (all.empty() ? "" : "\n") + std::string(message);
  };
  auto run = inProcess ? tessera_compile : tessera_compile_in_child;
  TesseraCompileStatus status =
      run(input.c_str(), output.c_str(), flags.data(),
          std::int64_t(flags.size()), collect, &messages);
  if (status != TESSERA_COMPILE_OK)
    throw Error(status, messages);
}

} // namespace tessera

#endif // TESSERA_TESSERA_HPP
