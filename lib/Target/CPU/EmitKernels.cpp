// Turns each kernel into a function on memrefs, by the route of its schedule.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/CallNumbers.h"
#include "dialects/Kernel/IR/MissedRoute.h"
#include "lib/Target/CPU/Attention/AttentionBuilder.h"
#include "lib/Target/CPU/Lowering/ContextFields.h"
#include "lib/Target/CPU/Contraction/ContractionBuilder.h"
#include "lib/Target/CPU/Generic/GenericKernel.h"
#include "lib/Target/CPU/Passes.h"
#include "lib/Target/CPU/Rows/RowEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_EMITKERNELS
#define GEN_PASS_DEF_SELECTSCHEDULES
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

LogicalResult emitKernel(kernel::FuncOp kernel, func::FuncOp function) {
  kernel::ScheduleAttrInterface schedule = kernel.getSchedule();
  if (!schedule)
    return kernel.emitOpError("expects a schedule, but got none");
  if (isa<kernel::ContractionAttr>(schedule))
    return cpu::emitContractionKernel(kernel, function);
  if (isa<kernel::AttentionAttr>(schedule))
    return cpu::emitAttentionKernel(kernel, function);
  if (isa<kernel::RowsAttr>(schedule))
    return cpu::emitRowKernel(kernel, function);
  if (isa<kernel::GenericAttr>(schedule))
    return cpu::emitGenericKernel(kernel, function);
  return kernel.emitOpError("expects a schedule of a CPU route, but got ")
         << schedule;
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
    bool failed = false;
    for (auto kernel : llvm::make_early_inc_range(
             getOperation().getOps<kernel::FuncOp>())) {
      ArrayRef<kernel::LaunchOp> callers = launches[kernel.getSymNameAttr()];
      func::FuncOp function = declareFunction(kernel, callers);
      if (emitKernel(kernel, function).failed()) {
        failed = true;
        continue;
      }
      for (kernel::LaunchOp launch : callers)
        replaceLaunch(launch, numbers[launch], function);
      kernel.erase();
    }
    if (failed)
      signalPassFailure();
  }
};

/// Whether `kernel` can be emitted by its first schedule; if not, `reason` is the
/// first diagnostic.
bool fitsSchedule(kernel::FuncOp kernel, std::string &reason) {
  ScopedDiagnosticHandler handler(
      kernel.getContext(), [&](Diagnostic &diagnostic) {
        if (reason.empty())
          reason = diagnostic.str();
        return success();
      });
  OpBuilder builder(kernel.getContext());
  OwningOpRef<ModuleOp> trial = ModuleOp::create(kernel.getLoc());
  builder.setInsertionPointToStart(trial->getBody());
  auto copy = cast<kernel::FuncOp>(builder.clone(*kernel));
  return succeeded(emitKernel(copy, declareFunction(copy, {})));
}

struct SelectSchedules : cpu::impl::SelectSchedulesBase<SelectSchedules> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<kernel::FuncOp>()) {
      while (kernel.getSchedules().size() > 1) {
        std::string reason;
        ArrayRef<Attribute> schedules = kernel.getSchedules().getValue();
        if (fitsSchedule(kernel, reason)) {
          kernel.setSchedulesAttr(
              ArrayAttr::get(&getContext(), schedules.take_front()));
          break;
        }
        remark::missed(kernel.getLoc(),
                       remark::RemarkOpts::name("route").category("schedule"))
            << (kernel.getSymName() + " leaves the " +
                kernel.getSchedule().getRoute() + " route: " + reason)
                   .str();
        kernel->setAttr(kernel::kMissedAttr, StringAttr::get(&getContext(), reason));
        kernel.setSchedulesAttr(
            ArrayAttr::get(&getContext(), schedules.drop_front()));
      }
    }
  }
};

} // namespace
