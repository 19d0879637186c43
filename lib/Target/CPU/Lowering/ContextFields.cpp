// Access to the fields of the run-time context from generated code.
#include "lib/Target/CPU/Lowering/ContextFields.h"

using namespace mlir;

namespace tessera::cpu {

Value emitAddress(OpBuilder &builder, Location loc, Value base,
                  int64_t bytes) {
  if (bytes == 0)
    return base;
  // A constant of 64 bits: weights lie beyond what a GEP's i32 index reaches.
  Value offset = LLVM::ConstantOp::create(builder, loc, builder.getI64Type(),
                                          builder.getI64IntegerAttr(bytes));
  return LLVM::GEPOp::create(builder, loc, base.getType(), builder.getI8Type(),
                             base, ArrayRef<LLVM::GEPArg>{offset},
                             LLVM::GEPNoWrapFlags::inbounds);
}

static Value emitInvariantLoad(OpBuilder &builder, Location loc, Value address,
                               Type type) {
  return LLVM::LoadOp::create(builder, loc, type, address, /*alignment=*/8,
                              /*isVolatile=*/false, /*isNonTemporal=*/false,
                              /*isInvariant=*/true);
}

Value emitLoad(OpBuilder &builder, Location loc, Value context,
               ContextField field) {
  Value address =
      emitAddress(builder, loc, context, static_cast<int64_t>(field));
  return emitInvariantLoad(builder, loc, address,
                           LLVM::LLVMPointerType::get(builder.getContext()));
}

Value emitLoad(OpBuilder &builder, Location loc, Value context,
               ContextField field, int64_t index, Type type) {
  return emitElement(builder, loc, emitLoad(builder, loc, context, field), index,
                     type);
}

Value emitHasUnit(OpBuilder &builder, Location loc, Value context,
                  kernel::Unit unit) {
  assert(unit == kernel::Unit::MatrixTiles && "the only unit");
  Type type = builder.getI64Type();
  Value address = emitAddress(builder, loc, context,
                              static_cast<int64_t>(ContextField::units));
  auto number = [&](int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, type,
                                    builder.getI64IntegerAttr(value));
  };
  Value given = LLVM::AndOp::create(
      builder, loc, emitInvariantLoad(builder, loc, address, type),
      number(TESSERA_UNIT_MATRIX_TILES));
  return LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, given,
                              number(0));
}

Value emitElement(OpBuilder &builder, Location loc, Value array, int64_t index,
                  Type type) {
  return emitInvariantLoad(
      builder, loc, emitAddress(builder, loc, array, index * 8), type);
}

} // namespace tessera::cpu
