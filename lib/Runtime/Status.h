// Errors as values: Status, and Result<T> for a value or an error. The runtime
// is built without exceptions.
#ifndef TESSERA_RUNTIME_STATUS_H
#define TESSERA_RUNTIME_STATUS_H

#include "tessera/runtime.h"

#include <cassert>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace tessera::runtime {

/// Success, or a code with a message for people.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(TesseraStatus code, std::string message)
      : statusCode(code), text(std::move(message)) {}

  bool ok() const { return statusCode == TESSERA_OK; }
  TesseraStatus code() const { return statusCode; }
  const std::string &message() const { return text; }

  /// The same error said of a larger thing: "PREFIX: MESSAGE".
  Status within(const std::string &prefix) && {
    text = prefix + ": " + text;
    return std::move(*this);
  }

private:
  TesseraStatus statusCode = TESSERA_OK;
  std::string text;
};

/// An error whose message is the parts joined: failure(code, "got ", 5).
template <typename... Parts>
Status failure(TesseraStatus code, const Parts &...parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return Status(code, stream.str());
}

/// A value or an error.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : content(std::move(value)) {}
  Result(Status status) : error(std::move(status)) {
    assert(!error.ok() && "a result without value needs an error");
  }

  bool ok() const { return content.has_value(); }
  T &operator*() { return *content; }
  T *operator->() { return &*content; }
  /// The error; success when there is a value.
  Status takeStatus() { return std::move(error); }

private:
  std::optional<T> content;
  Status error;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_STATUS_H
