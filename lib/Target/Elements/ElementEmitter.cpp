// The element emitter; see the header. The walk through a body is in ElementWalk.
#include "lib/Target/Elements/ElementEmitter.h"
#include "lib/Target/Elements/ElementWalk.h"

using namespace mlir;
using namespace tessera;

ElementEmitter::ElementEmitter(kernel::FuncOp kernel,
                               std::unique_ptr<ElementSource> memory,
                               ArrayRef<Value> symbols)
    : kernel(kernel), memory(std::move(memory)), symbols(symbols),
      sizes(kernel.getContext()) {
  assert(static_cast<int64_t>(symbols.size()) == kernel.getSymbolCount() &&
         "one value for each symbol");
}

ElementEmitter::~ElementEmitter() = default;

void ElementEmitter::bind(Value tensor, Source source) {
  sources[tensor] = {std::move(source), /*isLinear=*/false};
}

void ElementEmitter::bindLinear(Value tensor, Source source) {
  sources[tensor] = {std::move(source), /*isLinear=*/true};
}

void ElementEmitter::bindElements(Value tensor, Value elements) {
  sources[tensor] = {/*source=*/{}, /*isLinear=*/false, elements};
}

FailureOr<SmallVector<Value>>
ElementEmitter::emit(OpBuilder &builder, Location loc, ArrayRef<Value> tensors,
                     ArrayRef<Value> indices, int64_t lanes, Value mask) {
  ElementAccess access;
  for (Value index : indices)
    access.indices.push_back({index, 0});
  if (lanes > 1 && !indices.empty())
    access.indices.back().step = 1;
  access.lanes = lanes;
  access.mask = lanes > 1 ? mask : Value();
  return emit(builder, loc, tensors, access);
}

FailureOr<Value> ElementEmitter::emit(OpBuilder &builder, Location loc,
                                      Value tensor, ArrayRef<Value> indices,
                                      int64_t lanes, Value mask) {
  FailureOr<SmallVector<Value>> values =
      emit(builder, loc, ArrayRef(tensor), indices, lanes, mask);
  if (failed(values))
    return failure();
  return values->front();
}

FailureOr<SmallVector<Value>>
ElementEmitter::emitLinear(OpBuilder &builder, Location loc,
                           ArrayRef<Value> tensors, Value position,
                           int64_t lanes, Value mask) {
  ElementAccess access;
  access.indices.push_back({position, lanes > 1 ? 1 : 0});
  access.linear = true;
  access.lanes = lanes;
  access.mask = lanes > 1 ? mask : Value();
  return emit(builder, loc, tensors, access);
}

FailureOr<SmallVector<Value>>
ElementEmitter::emit(OpBuilder &builder, Location loc, ArrayRef<Value> tensors,
                     const ElementAccess &access) {
  Walk walk(*this, builder, loc);
  SmallVector<Value> values;
  for (Value tensor : tensors) {
    FailureOr<Value> value = walk.get(tensor, access);
    if (failed(value))
      return failure();
    values.push_back(*value);
  }
  return values;
}

bool ElementEmitter::isLinear(Value tensor) {
  OpBuilder builder(kernel.getContext());
  return Walk(*this, builder, kernel.getLoc()).servesLinear(tensor);
}

Value ElementEmitter::emitIndex(OpBuilder &builder, Location loc,
                                Value valueOfTheBody) {
  FailureOr<Value> value = Walk(*this, builder, loc).scalar(valueOfTheBody);
  return succeeded(value) ? *value : Value();
}

Value ElementEmitter::emitSize(OpBuilder &builder, Location loc, Value tensor,
                               int64_t dimension) {
  FailureOr<Value> value = Walk(*this, builder, loc).size(tensor, dimension);
  return succeeded(value) ? *value : Value();
}
