// A tensor of the command line: elements of any type in memory of its own.
#include "tools/tessera/HostArray.h"

#include "tessera/runtime.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <cstring>

using llvm::APFloat;

namespace tessera::tool {
namespace {

/// LLVM's description of a float type of at least a byte, or null.
const llvm::fltSemantics *semanticsOf(TesseraElementType type) {
  switch (type.code) {
  case 2:
    return type.bits == 16   ? &APFloat::IEEEhalf()
           : type.bits == 32 ? &APFloat::IEEEsingle()
           : type.bits == 64 ? &APFloat::IEEEdouble()
                             : nullptr;
  case 4:
    return type.bits == 16 ? &APFloat::BFloat() : nullptr;
  default:
    break;
  }
  return llvm::StringSwitch<const llvm::fltSemantics *>(tessera_type_name(type))
      .Case("float8_e4m3fn", &APFloat::Float8E4M3FN())
      .Case("float8_e4m3fnuz", &APFloat::Float8E4M3FNUZ())
      .Case("float8_e5m2", &APFloat::Float8E5M2())
      .Case("float8_e5m2fnuz", &APFloat::Float8E5M2FNUZ())
      .Default(nullptr);
}

/// The bits of element `index`; elements narrower than a byte are packed, the
/// first in the low bits.
uint64_t bitsAt(const HostArray &array, int64_t index) {
  const unsigned bits = array.type.bits;
  if (bits < 8) {
    unsigned perByte = 8 / bits;
    unsigned shift = index % perByte * bits;
    return uint8_t(array.bytes[index / perByte]) >> shift & ((1u << bits) - 1);
  }
  uint64_t value = 0;
  std::memcpy(&value, array.bytes.data() + index * (bits / 8), bits / 8);
  return value;
}

double floatAt(const HostArray &array, int64_t index) {
  uint64_t bits = bitsAt(array, index);
  if (array.type.code == 2 && array.type.bits == 32) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  if (array.type.code == 2 && array.type.bits == 64) {
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  APFloat value(*semanticsOf(array.type), llvm::APInt(array.type.bits, bits));
  bool ignored;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &ignored);
  return value.convertToDouble();
}

/// The bits of the element of type `type` that is nearest to `value`.
uint64_t floatBits(TesseraElementType type, double value) {
  APFloat number(value);
  bool ignored;
  number.convert(*semanticsOf(type), APFloat::rmNearestTiesToEven, &ignored);
  return number.bitcastToAPInt().getZExtValue();
}

/// The default tolerance: a few hundred roundings of the type, for sums in
/// another order.
double defaultTolerance(TesseraElementType type) {
  if (!isFloat(type))
    return 0;
  if (type.code == 4)
    return 5e-2;
  return type.bits == 64 ? 1e-9
         : type.bits == 32 ? 1e-4
         : type.bits == 16 ? 1e-2
                           : 0.1;
}

} // namespace

bool isFloat(TesseraElementType type) { return semanticsOf(type) != nullptr; }

bool isInteger(TesseraElementType type) { return type.code <= 1; }

int64_t HostArray::elementCount() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

llvm::Expected<uint64_t> HostArray::expectedBytes() const {
  int64_t bits = type.bits;
  for (int64_t size : shape)
    if (size < 0 || llvm::MulOverflow(bits, size, bits))
      return llvm::createStringError("the shape " + shapeText(shape) +
                                     " is negative or too large");
  return llvm::divideCeil(uint64_t(bits), 8);
}

double HostArray::element(int64_t index) const {
  if (isFloat(type))
    return floatAt(*this, index);
  uint64_t bits = bitsAt(*this, index);
  if (type.code == 0)
    return double(llvm::SignExtend64(bits, type.bits));
  return double(bits);
}

std::string HostArray::elementText(int64_t index) const {
  if (isFloat(type))
    return llvm::formatv("{0}", llvm::format("%.6g", floatAt(*this, index)));
  uint64_t bits = bitsAt(*this, index);
  if (type.code == 6)
    return bits ? "true" : "false";
  if (type.code == 0)
    return std::to_string(llvm::SignExtend64(bits, type.bits));
  return type.code == 1 ? std::to_string(bits) : "0x" + llvm::utohexstr(bits);
}

llvm::Error fillRandom(HostArray &array, int64_t integerLimit,
                       std::mt19937_64 &random) {
  llvm::Expected<uint64_t> bytes = array.expectedBytes();
  if (!bytes)
    return bytes.takeError();
  array.bytes.assign(*bytes, 0);
  const TesseraElementType type = array.type;
  if (type.bits < 8) { // any bits are a value
    for (char &byte : array.bytes)
      byte = char(random());
    return llvm::Error::success();
  }
  std::normal_distribution<double> normal;
  int64_t limit = type.code == 6 ? 2 : integerLimit;
  // The largest value that the type holds.
  if (isInteger(type) && type.bits < 64)
    limit = std::min(limit, int64_t(1) << (type.bits - (type.code == 0)));
  std::uniform_int_distribution<int64_t> integer(0, limit - 1);
  for (int64_t i = 0, count = array.elementCount(); i < count; ++i) {
    uint64_t bits;
    if (type.code == 2 && type.bits == 32) {
      float value = float(normal(random));
      bits = 0;
      std::memcpy(&bits, &value, sizeof value);
    } else {
      bits = isFloat(type) ? floatBits(type, normal(random))
                           : uint64_t(integer(random));
    }
    std::memcpy(array.bytes.data() + i * (type.bits / 8), &bits, type.bits / 8);
  }
  return llvm::Error::success();
}

std::string shapeText(llvm::ArrayRef<int64_t> shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

ArrayDifference compareArrays(const HostArray &ours, const HostArray &reference,
                              double tolerance) {
  ArrayDifference result;
  if (ours.shape != reference.shape) {
    result.problem = "expects shape " + shapeText(reference.shape) +
                     " but got " + shapeText(ours.shape);
    return result;
  }
  if (isFloat(ours.type) != isFloat(reference.type)) {
    result.problem = std::string("expects ") +
                     tessera_type_name(reference.type) + " but got " +
                     tessera_type_name(ours.type);
    return result;
  }
  double limit = tolerance < 0 ? defaultTolerance(ours.type) : tolerance;
  double largest = 0;
  int64_t odd = 0, different = 0;
  for (int64_t i = 0, count = ours.elementCount(); i < count; ++i) {
    double ourValue = ours.element(i), theirs = reference.element(i);
    if (!std::isfinite(ourValue) || !std::isfinite(theirs)) {
      odd += !(ourValue == theirs || (std::isnan(ourValue) && std::isnan(theirs)));
      if (std::isfinite(theirs))
        largest = std::max(largest, std::fabs(theirs));
      continue;
    }
    largest = std::max(largest, std::fabs(theirs));
    different += ourValue != theirs;
    result.absolute = std::max(result.absolute, std::fabs(ourValue - theirs));
  }
  result.relative = result.absolute == 0 ? 0
                    : largest == 0 ? INFINITY
                                   : result.absolute / largest;
  if (odd)
    result.problem = std::to_string(odd) + " infinities or NaNs differ";
  else if (result.relative > limit)
    result.problem =
        limit == 0 ? std::to_string(different) + " elements differ"
                   : llvm::formatv("above the tolerance of {0}",
                                   llvm::format("%g", limit));
  return result;
}

} // namespace tessera::tool
