// Turns each kernel into a function on memrefs, by the route of its schedule.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/CallNumbers.h"
#include "lib/Target/CPU/Lowering/ContextFields.h"
#include "lib/Target/CPU/Passes.h"
#include "lib/Target/CPU/Routes.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_EMITKERNELS
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

namespace {

using LaunchMap =
    llvm::DenseMap<StringAttr, SmallVector<kernel::LaunchOp>>;

/// The memref type of a kernel's tensor argument `index`: dense, or with the
/// strides that all launches agree on and dynamic ones, when some launch passes
/// something else.
MemRefType argumentType(RankedTensorType tensor, int64_t index,
                        ArrayRef<kernel::LaunchOp> launches) {
  MemRefType dense = MemRefType::get(tensor.getShape(), tensor.getElementType());
  auto typeIn = [&](kernel::LaunchOp launch) {
    return cast<MemRefType>(launch.getArguments()[index].getType());
  };
  if (llvm::all_of(launches, [&](kernel::LaunchOp launch) {
        return typeIn(launch) == dense;
      }))
    return dense;
  auto [strides, offset] = typeIn(launches.front()).getStridesAndOffset();
  for (kernel::LaunchOp launch : launches.drop_front()) {
    auto [others, other] = typeIn(launch).getStridesAndOffset();
    if (other != offset)
      offset = ShapedType::kDynamic;
    for (auto [stride, other] : llvm::zip(strides, others))
      if (other != stride)
        stride = ShapedType::kDynamic;
  }
  return MemRefType::get(
      tensor.getShape(), tensor.getElementType(),
      StridedLayoutAttr::get(tensor.getContext(), offset, strides));
}

/// The function that `kernel` becomes, with only a return in its body.
func::FuncOp declareFunction(kernel::FuncOp kernel,
                             ArrayRef<kernel::LaunchOp> launches) {
  OpBuilder builder(kernel);
  SmallVector<Type> types = {
      LLVM::LLVMPointerType::get(builder.getContext())};
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    types.push_back(tensor ? Type(argumentType(tensor, i, launches)) : type);
  }
  auto function =
      func::FuncOp::create(builder, kernel.getLoc(), kernel.getSymName(),
                           builder.getFunctionType(types, {}));
  function.setPrivate();
  builder.setInsertionPointToEnd(function.addEntryBlock());
  func::ReturnOp::create(builder, kernel.getLoc());
  return function;
}

LogicalResult emitKernel(kernel::FuncOp kernel,
                         kernel::ScheduleAttrInterface schedule,
                         func::FuncOp function) {
  // All routes of this target emit.
  auto *route = static_cast<const cpu::CpuRoute *>(
      routeFor(cpu::kTarget, schedule));
  if (!route)
    return kernel.emitOpError("expects a schedule of a CPU route, but got ")
           << schedule;
  return route->emit(kernel, schedule, function);
}

/// The two ways that `guarded` leaves open: builders where its guard holds and where it
/// does not.
std::pair<OpBuilder, OpBuilder> emitGuard(OpBuilder &builder,
                                          func::FuncOp function,
                                          kernel::GuardedAttr guarded,
                                          ValueRange sizes) {
  Location loc = function.getLoc();
  IntegerSetAttr condition = guarded.getCondition();
  if (guarded.getUnit() == kernel::Unit::None) {
    auto choice =
        affine::AffineIfOp::create(builder, loc, condition.getValue(), sizes,
                                   /*withElseRegion=*/true);
    return {choice.getThenBodyBuilder(), choice.getElseBodyBuilder()};
  }
  Value holds = cpu::emitHasUnit(builder, loc, function.getArgument(0),
                                 guarded.getUnit());
  if (condition) {
    auto ofSize = affine::AffineIfOp::create(
        builder, loc, TypeRange(holds.getType()), condition.getValue(), sizes,
        /*withElseRegion=*/true);
    OpBuilder then = OpBuilder::atBlockBegin(ofSize.getThenBlock());
    affine::AffineYieldOp::create(then, loc, holds);
    OpBuilder otherwise = OpBuilder::atBlockBegin(ofSize.getElseBlock());
    Value never =
        arith::ConstantOp::create(otherwise, loc, builder.getBoolAttr(false));
    affine::AffineYieldOp::create(otherwise, loc, never);
    holds = ofSize.getResult(0);
  }
  auto choice =
      scf::IfOp::create(builder, loc, holds, /*withElseRegion=*/true);
  return {choice.getThenBodyBuilder(), choice.getElseBodyBuilder()};
}

/// Calls each of `forms` where its guard is the first that holds; the last one has
/// none.
void emitChoice(func::FuncOp function, ArrayRef<func::FuncOp> forms,
                ArrayRef<Attribute> schedules, int64_t tensors) {
  Location loc = function.getLoc();
  OpBuilder builder(function.getBody().front().getTerminator());
  auto sizes = function.getArguments().drop_front(1 + tensors);
  for (auto [form, schedule] : llvm::zip(forms, schedules)) {
    OpBuilder at = builder;
    if (auto guarded = dyn_cast<kernel::GuardedAttr>(schedule))
      std::tie(at, builder) = emitGuard(builder, function, guarded, sizes);
    func::CallOp::create(at, loc, form, function.getArguments());
  }
}

/// Emits `kernel` by its schedule; where it has several, as a choice between
/// functions that stand before it.
LogicalResult emitSchedules(kernel::FuncOp kernel, func::FuncOp function) {
  ArrayRef<Attribute> schedules = kernel.getSchedules().getValue();
  if (schedules.empty())
    return kernel.emitOpError("expects a schedule, but got none");
  if (!isa<kernel::GuardedAttr>(schedules.front()))
    return emitKernel(kernel, kernel.getSchedule(), function);
  SmallVector<func::FuncOp> forms;
  OpBuilder builder(function);
  for (auto [i, attribute] : llvm::enumerate(schedules)) {
    auto guarded = dyn_cast<kernel::GuardedAttr>(attribute);
    auto schedule = guarded ? guarded.getSchedule()
                            : cast<kernel::ScheduleAttrInterface>(attribute);
    auto form = cast<func::FuncOp>(builder.clone(*function));
    form.setSymName((function.getSymName() + ".form" + Twine(i)).str());
    auto copy = cast<kernel::FuncOp>(builder.clone(*kernel));
    LogicalResult emitted = emitKernel(copy, schedule, form);
    copy.erase();
    if (failed(emitted))
      return failure();
    if (guarded && guarded.getUnit() != kernel::Unit::None)
      form->setAttr(cpu::kUnitAttr, builder.getStringAttr(kernel::stringifyUnit(
                                        guarded.getUnit())));
    forms.push_back(form);
    if (!guarded)
      break;
  }
  emitChoice(function, forms, schedules, kernel.getTensorCount());
  return success();
}

/// kernel.launch @k of %ctx (%a) sizes(%n)  ==>  func.call @k(%ctx, %a, %n)
void replaceLaunch(kernel::LaunchOp launch, int64_t number,
                   func::FuncOp function) {
  OpBuilder builder(launch);
  SmallVector<Value> operands = {launch.getRunContext()};
  ArrayRef<Type> types = function.getArgumentTypes();
  for (auto [argument, type] :
       llvm::zip(launch.getArguments(), types.drop_front()))
    operands.push_back(argument.getType() == type
                           ? argument
                           : memref::CastOp::create(builder, launch.getLoc(),
                                                    type, argument));
  llvm::append_range(operands, launch.getSizes());
  auto call =
      func::CallOp::create(builder, launch.getLoc(), function, operands);
  call->setAttr(cpu::kCallNumberAttr, builder.getI64IntegerAttr(number));
  launch.erase();
}

struct EmitKernels : cpu::impl::EmitKernelsBase<EmitKernels> {
  void runOnOperation() override {
    LaunchMap launches;
    llvm::DenseMap<Operation *, int64_t> numbers;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      kernel::CallNumbers calls(function);
      for (auto [number, call] : llvm::enumerate(calls.all())) {
        auto launch = cast<kernel::LaunchOp>(call);
        launches[launch.getCalleeAttr().getAttr()].push_back(launch);
        numbers[launch] = number;
      }
    }
    bool hasFailed = false;
    for (auto kernel : llvm::make_early_inc_range(
             getOperation().getOps<kernel::FuncOp>())) {
      ArrayRef<kernel::LaunchOp> callers = launches[kernel.getSymNameAttr()];
      func::FuncOp function = declareFunction(kernel, callers);
      if (failed(emitSchedules(kernel, function))) {
        hasFailed = true;
        continue;
      }
      for (kernel::LaunchOp launch : callers)
        replaceLaunch(launch, numbers[launch], function);
      kernel.erase();
    }
    if (hasFailed)
      signalPassFailure();
  }
};

} // namespace
