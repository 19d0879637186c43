// Loop nests that carry a tensor; see the header.
#include "dialects/Graph/Conversion/CarriedLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tessera;

static Value createNest(OpBuilder &builder, Location loc,
                        ArrayRef<Value> sizes, Value init,
                        SmallVector<Value> &indices, graph::CarriedBody body) {
  if (indices.size() == sizes.size())
    return body(builder, loc, indices, init);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  return scf::ForOp::create(
             builder, loc, zero, sizes[indices.size()], one, init,
             [&](OpBuilder &nested, Location loc, Value index,
                 ValueRange carried) {
               indices.push_back(index);
               Value next = createNest(nested, loc, sizes, carried.front(),
                                       indices, body);
               indices.pop_back();
               scf::YieldOp::create(nested, loc, next);
             })
      .getResult(0);
}

Value graph::createCarriedLoops(OpBuilder &builder, Location loc,
                                ArrayRef<Value> sizes, Value init,
                                CarriedBody body) {
  SmallVector<Value> indices;
  return createNest(builder, loc, sizes, init, indices, body);
}

Value graph::createCarriedIf(
    OpBuilder &builder, Location loc, Value condition, Value carried,
    function_ref<Value(OpBuilder &, Location)> body) {
  return scf::IfOp::create(
             builder, loc, condition,
             [&](OpBuilder &nested, Location loc) {
               scf::YieldOp::create(nested, loc, body(nested, loc));
             },
             [&](OpBuilder &nested, Location loc) {
               scf::YieldOp::create(nested, loc, carried);
             })
      .getResult(0);
}
