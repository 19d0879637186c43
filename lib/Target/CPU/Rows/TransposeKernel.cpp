// Elementwise kernels that read transposed operands: tiles that are transposed
// in registers.
//
// Lanes lie along the last dimension of the result, but contiguous elements of a
// transposed operand along another one. Tiles of lanes x lanes of these two
// dimensions are read as rows of the operand and turned:
//
//   y[d, l] = exp(x[l, d])  ==>  for tiles (d0, l0):
//                                  rk = x[l0 + k, d0 ..]        k = 0 .. 7
//                                  c0..c7 = transpose r0..r7
//                                  y[d0 + i, l0 ..] = exp(ci)   i = 0 .. 7
//
// Two tiles side by side along d use whole cache lines of the operand, before
// the next along l do so of the result.
#include "lib/Target/CPU/Elements/LaneTranspose.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/CPU/Rows/RowKernel.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

struct TransposeKernel {
  RowKernel &rows;
  SmallVector<Value> tensors, memrefs;
  SmallVector<linalg::TransposeOp> operands;
  /// The dimension of the result that lies along the operands' last one.
  int64_t along = -1;
  SmallVector<Value> sizes;

  Location loc() { return rows.loc; }
  int64_t rank() { return sizes.size(); }

  bool findOperands();
  void mergeDimensions(OpBuilder &builder);
  LogicalResult emit(OpBuilder &builder);
  /// The block [from, to) of both dimensions.
  LogicalResult emitBlock(OpBuilder &builder, ArrayRef<Value> indices,
                          std::pair<Value, Value> alongRange,
                          std::pair<Value, Value> lastRange);
  LogicalResult emitTile(OpBuilder &builder, SmallVector<Value> indices,
                         bool isWhole);
  FailureOr<SmallVector<Value>> readTurned(OpBuilder &builder,
                                           linalg::TransposeOp operand,
                                           ArrayRef<Value> indices,
                                           Value alongMask);
  LogicalResult storeRow(OpBuilder &builder, ArrayRef<Value> indices,
                         Value mask);
};

} // namespace

/// The dimension of a transpose's result that its source's last one becomes.
static int64_t dimensionOfLast(linalg::TransposeOp op) {
  ArrayRef<int64_t> permutation = op.getPermutation();
  return llvm::find(permutation,
                    static_cast<int64_t>(permutation.size()) - 1) -
         permutation.begin();
}

/// Whether `value` reaches the outputs through elementwise operations only.
static bool isReadInPlace(Value value) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    if (isa<kernel::YieldOp>(user))
      return true;
    return (OpTrait::hasElementwiseMappableTraits(user) ||
            isa<linalg::CopyOp>(user)) &&
           llvm::all_of(user->getResults(), [&](Value result) {
             return isReadInPlace(result);
           });
  });
}

bool TransposeKernel::findOperands() {
  graph::SizeAnalysis analysis(rows.kernel.getContext());
  for (auto op :
       rows.kernel.getBody().front().getOps<linalg::TransposeOp>()) {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    int64_t dimension = dimensionOfLast(op);
    if (dimension == type.getRank() - 1 || type.getDimSize(dimension) == 1 ||
        type.getShape().back() == 1 || (along >= 0 && dimension != along) ||
        !analysis.haveSameSizes(op->getResult(0), tensors.front()) ||
        !isReadInPlace(op->getResult(0)))
      continue;
    along = dimension;
    operands.push_back(op);
  }
  return !operands.empty();
}

/// Dimensions that stay together are one: of a kernel that only transposes,
///   transpose [b, c, h, w] to [b, h, w, c]  ==>  [b, c, hw] to [b, hw, c]
void TransposeKernel::mergeDimensions(OpBuilder &builder) {
  linalg::TransposeOp op = operands.front();
  ArrayRef<int64_t> permutation = op.getPermutation();
  auto isDense = [](Value memref) {
    return cast<MemRefType>(memref.getType()).getLayout().isIdentity();
  };
  auto yielded = [&](Value value) {
    auto copy = value.getDefiningOp<linalg::CopyOp>();
    return (copy ? copy.getInputs()[0] : value) == op->getResult(0);
  };
  if (operands.size() != 1 || !llvm::all_of(memrefs, isDense) ||
      !llvm::all_of(tensors, yielded))
    return;
  SmallVector<ReassociationIndices> result;
  for (int64_t i = 0, e = permutation.size(); i < e; ++i) {
    if (i > 0 && permutation[i] == permutation[i - 1] + 1)
      result.back().push_back(i);
    else
      result.push_back({i});
  }
  if (result.size() == permutation.size())
    return;
  // The same groups in the order of the source.
  SmallVector<ReassociationIndices> source;
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(result.size()));
  llvm::sort(order, [&](int64_t a, int64_t b) {
    return permutation[result[a].front()] < permutation[result[b].front()];
  });
  SmallVector<int64_t> merged(result.size());
  for (auto [position, group] : llvm::enumerate(order)) {
    source.push_back(llvm::map_to_vector<2>(
        result[group], [&](int64_t i) { return permutation[i]; }));
    merged[group] = position;
  }
  OpBuilder body(op);
  Value collapsed = tensor::CollapseShapeOp::create(body, op.getLoc(),
                                                    op.getInput(), source);
  Value init =
      tensor::CollapseShapeOp::create(body, op.getLoc(), op.getInit(), result);
  auto turned = linalg::TransposeOp::create(body, op.getLoc(), collapsed, init,
                                            merged);
  operands = {turned};
  along = dimensionOfLast(turned);
  for (Value &tensor : tensors)
    tensor = turned->getResult(0);
  for (Value &memref : memrefs)
    memref = collapseMemref(builder, loc(), memref, result);
}

FailureOr<SmallVector<Value>>
TransposeKernel::readTurned(OpBuilder &builder, linalg::TransposeOp operand,
                            ArrayRef<Value> indices, Value alongMask) {
  IndexBuilder index(builder, loc());
  SmallVector<Value> read;
  Value last = index.sub(sizes.back(), 1);
  for (int64_t k = 0; k < rows.lanes; ++k) {
    SmallVector<Value> source(rank());
    for (auto [i, dimension] : llvm::enumerate(operand.getPermutation()))
      source[dimension] = indices[i];
    Value row = index.add(indices.back(), k);
    // Beyond the end the last row is read again.
    if (alongMask)
      row = index.min(row, last);
    source[operand.getPermutation().back()] = row;
    FailureOr<Value> values = rows.elements.emit(
        builder, loc(), operand.getInput(), source, rows.lanes, alongMask);
    if (failed(values))
      return failure();
    read.push_back(*values);
  }
  transposeLanes(builder, loc(), read);
  return read;
}

LogicalResult TransposeKernel::storeRow(OpBuilder &builder,
                                        ArrayRef<Value> indices, Value mask) {
  FailureOr<SmallVector<Value>> values = rows.elements.emit(
      builder, loc(), tensors, indices, rows.lanes, mask);
  if (failed(values))
    return failure();
  for (auto [value, memref] : llvm::zip(*values, memrefs))
    rows.store(builder, value, memref, indices, mask);
  return success();
}

LogicalResult TransposeKernel::emitTile(OpBuilder &builder,
                                        SmallVector<Value> indices,
                                        bool isWhole) {
  IndexBuilder index(builder, loc());
  Value alongMask, lastMask;
  auto maskOf = [&](int64_t dimension) -> Value {
    return vector::CreateMaskOp::create(
        builder, loc(), VectorType::get({rows.lanes}, builder.getI1Type()),
        index.sub(sizes[dimension], indices[dimension]));
  };
  if (!isWhole) {
    alongMask = maskOf(along);
    lastMask = maskOf(rank() - 1);
  }
  SmallVector<SmallVector<Value>> turned;
  for (linalg::TransposeOp operand : operands) {
    FailureOr<SmallVector<Value>> values =
        readTurned(builder, operand, indices, alongMask);
    if (failed(values))
      return failure();
    turned.push_back(*values);
  }
  Value first = indices[along];
  for (int64_t i = 0; i < rows.lanes; ++i) {
    indices[along] = index.add(first, i);
    for (auto [operand, values] : llvm::zip(operands, turned))
      rows.elements.bind(operand->getResult(0),
                         [value = values[i]](OpBuilder &, Location,
                                             ArrayRef<Value>, int64_t lanes) {
                           return lanes == 1 ? Value() : value;
                         });
    LogicalResult result = success();
    if (isWhole) {
      result = storeRow(builder, indices, {});
    } else {
      Value inside = arith::CmpIOp::create(builder, loc(),
                                           arith::CmpIPredicate::ult,
                                           indices[along], sizes[along]);
      scf::IfOp::create(builder, loc(), inside,
                        [&](OpBuilder &inner, Location at) {
                          result = storeRow(inner, indices, lastMask);
                          scf::YieldOp::create(inner, at);
                        });
    }
    for (linalg::TransposeOp operand : operands)
      rows.elements.unbind(operand->getResult(0));
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult
TransposeKernel::emitBlock(OpBuilder &builder, ArrayRef<Value> indices,
                           std::pair<Value, Value> alongRange,
                           std::pair<Value, Value> lastRange) {
  int64_t lanes = rows.lanes;
  auto tile = [&](OpBuilder &at, Value d, Value l) -> LogicalResult {
    IndexBuilder math(at, loc());
    SmallVector<Value> place(indices);
    place[along] = d;
    place.back() = l;
    auto fits = [&](Value index, Value size) -> Value {
      if (constantOf(size) && *constantOf(size) % lanes == 0)
        return {};
      Value end = math.add(index, lanes);
      return arith::CmpIOp::create(at, loc(), arith::CmpIPredicate::ule, end,
                                   size);
    };
    Value a = fits(d, sizes[along]), b = fits(l, sizes.back());
    Value whole = a && b ? arith::AndIOp::create(at, loc(), a, b).getResult()
                         : (a ? a : b);
    if (!whole)
      return emitTile(at, place, /*isWhole=*/true);
    LogicalResult result = success();
    auto branch = [&](bool isWhole) {
      return [&, isWhole](OpBuilder &inner, Location) {
        if (succeeded(result))
          result = emitTile(inner, place, isWhole);
        scf::YieldOp::create(inner, loc());
      };
    };
    scf::IfOp::create(at, loc(), whole, branch(true), branch(false));
    return result;
  };
  return emitLoop(
      builder, loc(), {alongRange.first, alongRange.second, 2 * lanes},
      [&](OpBuilder &outer, Value pair) {
        IndexBuilder index(outer, loc());
        Value end = index.min(index.add(pair, 2 * lanes), alongRange.second);
        return emitLoop(outer, loc(),
                        {lastRange.first, lastRange.second, lanes},
                        [&](OpBuilder &middle, Value l) {
                          return emitLoop(middle, loc(), {pair, end, lanes},
                                          [&](OpBuilder &inner, Value d) {
                                            return tile(inner, d, l);
                                          });
                        });
      });
}

LogicalResult TransposeKernel::emit(OpBuilder &builder) {
  IndexBuilder index(builder, loc());
  // Blocks are squares of whole tiles with about as many elements as a task.
  int64_t side = 2 * rows.lanes;
  while (4 * side * side <= rows.taskElements)
    side *= 2;
  Value one = index.constant(1);
  Value sideSize = index.constant(side);
  SmallVector<Value> outer;
  for (int64_t i = 0; i + 1 < rank(); ++i)
    outer.push_back(i == along ? one : sizes[i]);
  Value outerCount = index.product(outer);
  Value area = index.mul(sizes[along], sizes.back());
  Value perTask = index.max(
      index.div(index.constant(rows.taskElements), index.max(area, one)), one);
  Value groups = index.ceilDiv(outerCount, perTask);
  auto blocksOf = [&](Value size) {
    return index.max(index.ceilDiv(size, sideSize), one);
  };
  Value alongBlocks = blocksOf(sizes[along]), lastBlocks = blocksOf(sizes.back());
  Value count = index.product({groups, alongBlocks, lastBlocks});
  return emitTasks(
      builder, loc(), count, rows.context,
      [&](OpBuilder &task, Value number) -> LogicalResult {
        IndexBuilder index(task, loc());
        SmallVector<Value> place =
            index.delinearize(number, {groups, alongBlocks, lastBlocks});
        auto rangeOf = [&](Value block, Value size) {
          Value from = index.mul(block, sideSize);
          return std::make_pair(from,
                                index.min(index.add(from, sideSize), size));
        };
        auto alongRange = rangeOf(place[1], sizes[along]);
        auto lastRange = rangeOf(place[2], sizes.back());
        Value first = index.mul(place[0], perTask);
        Value last = index.min(index.add(first, perTask), outerCount);
        return emitLoop(
            task, loc(), {first, last, 1},
            [&](OpBuilder &inner, Value position) {
              IndexBuilder index(inner, loc());
              SmallVector<Value> indices = index.delinearize(position, outer);
              indices.push_back({});
              return emitBlock(inner, indices, alongRange, lastRange);
            });
      });
}

FailureOr<bool> cpu::emitTransposed(RowKernel &rows, OpBuilder &builder,
                                    ArrayRef<int64_t> outputs) {
  TransposeKernel work{rows, {}, {}, {}, -1, {}};
  for (int64_t number : outputs) {
    work.tensors.push_back(rows.yielded(number));
    work.memrefs.push_back(rows.output(number));
  }
  if (rows.lanes == 1 || !work.findOperands())
    return false;
  work.mergeDimensions(builder);
  FailureOr<SmallVector<Value>> sizes =
      rows.sizesOf(builder, work.tensors.front());
  if (failed(sizes))
    return failure();
  work.sizes = *sizes;
  if (failed(work.emit(builder)))
    return failure();
  return true;
}
