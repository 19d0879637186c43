/// Operators that ONNX does not define, but quantizers and optimizers write: their
/// signatures and, where operators of ONNX compute the same, their bodies.
///
/// A signature lists parameters, `?` behind those that may be omitted and `*` behind
/// the last if it stands for any number, of a type or a variable of types, which its
/// first use declares; then attributes, with their defaults or `!` where they are
/// required:
///
///   "X:T=byte, scale:float, zero_point?:T => Y:T"      "axis:int=0, num_heads:int!"
///
/// A body is nodes in ONNX's text format, of opset kBodyOpset, which name the
/// parameters and refer to attributes (`<axis: int = @axis>`). An input that a node
/// omits is omitted in its body, and so is an attribute without a default.
#ifndef TESSERA_IMPORTER_ONNX_CONTRIB_CONTRIBOPERATOR_H
#define TESSERA_IMPORTER_ONNX_CONTRIB_CONTRIBOPERATOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace onnx {
class OpSchema;
struct FunctionBodyBuildContext;
} // namespace onnx

namespace tessera::onnx_importer {

/// The opset of the default domain that bodies are written in.
inline constexpr int kBodyOpset = 26;

/// The node that a body is made for.
class ContribCall {
public:
  explicit ContribCall(const onnx::FunctionBodyBuildContext &context)
      : context(context) {}

  bool hasInput(int index) const;
  bool hasOutput(int index) const;
  int64_t integer(const char *name, int64_t otherwise) const;
  float number(const char *name, float otherwise) const;
  std::vector<int64_t> integers(const char *name) const;
  std::vector<float> numbers(const char *name) const;
  std::string string(const char *name) const;
  /// Of input `index`, which is there: TensorProto.DataType, and the size of a
  /// dimension where it is known.
  int32_t elementType(int index) const;
  int rank(int index) const;
  std::optional<int64_t> size(int index, int dimension) const;

private:
  const onnx::FunctionBodyBuildContext &context;
};

/// The nodes of a body; empty where there is none for such a call.
using BodyMaker = std::string (*)(const ContribCall &);

struct ContribOperator {
  const char *name;
  const char *signature;
  const char *attributes = "";
  /// The nodes of every body, or what makes them; neither: a translator does.
  const char *nodes = nullptr;
  BodyMaker makeNodes = nullptr;
};

/// The operator of `domain`; null if it is unknown.
const onnx::OpSchema *contribSchema(llvm::StringRef domain,
                                    llvm::StringRef opType);

/// Whether some operators of `domain` are known.
bool isContribDomain(llvm::StringRef domain);

// Text of bodies.
/// A number as the value of an attribute.
std::string literal(float value);
/// `[1, 2]`.
std::string literal(llvm::ArrayRef<int64_t> values);
/// A node that gives a tensor `name` of int64, of a list or of one number.
std::string integerConstant(llvm::StringRef name, llvm::ArrayRef<int64_t> values);
std::string integerConstant(llvm::StringRef name, int64_t value);
/// A node that gives the f32 number `name`.
std::string numberConstant(llvm::StringRef name, float value);

// One function per file of this folder.
llvm::ArrayRef<ContribOperator> quantizedOperators();
llvm::ArrayRef<ContribOperator> integerProductOperators();
llvm::ArrayRef<ContribOperator> packedWeightOperators();
llvm::ArrayRef<ContribOperator> fusedOperators();
llvm::ArrayRef<ContribOperator> normalizationOperators();
llvm::ArrayRef<ContribOperator> attentionOperators();
/// Of org.openvinotoolkit and trt.
llvm::ArrayRef<ContribOperator> openvinoOperators();
llvm::ArrayRef<ContribOperator> tensorrtOperators();

} // namespace tessera::onnx_importer

#endif
