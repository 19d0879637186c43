// The kernel dialect's registration and its attributes.
#include "dialects/Kernel/IR/Append.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/Kernel/IR/KernelDialect.cpp.inc"
#include "dialects/Kernel/IR/KernelEnums.cpp.inc"
#include "dialects/Kernel/IR/KernelAttrInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Kernel/IR/KernelAttributes.cpp.inc"

using namespace mlir;
using namespace tessera::kernel;

void KernelDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Kernel/IR/KernelAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Kernel/IR/KernelOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Kernel/IR/AppendOps.cpp.inc"
      >();
}

StringRef ContractionAttr::getRoute() const { return "builder"; }
StringRef AttentionAttr::getRoute() const { return "builder"; }
StringRef RowsAttr::getRoute() const { return "rows"; }
StringRef GenericAttr::getRoute() const { return "generic"; }
StringRef GuardedAttr::getRoute() const { return getSchedule().getRoute(); }
StringRef WarpgroupContractionAttr::getRoute() const { return "builder"; }

Unit ContractionAttr::getUnit() const { return unitOf(getAccumulate()); }

Unit tessera::kernel::unitOf(MultiplyAccumulate kind) {
  return isTiled(kind) ? Unit::MatrixTiles : Unit::None;
}

int64_t tessera::kernel::stepLengthOf(MultiplyAccumulate kind) {
  switch (kind) {
  case MultiplyAccumulate::F32:
  case MultiplyAccumulate::BytesInF32:
    return 1;
  case MultiplyAccumulate::Bf16Pairs:
    return 2;
  case MultiplyAccumulate::U8S8Quads:
    return 4;
  case MultiplyAccumulate::Bf16Tiles:
    return 32;
  case MultiplyAccumulate::U8S8Tiles:
    return 64;
  }
  llvm_unreachable("all multiply-accumulates have a step");
}

int64_t tessera::kernel::groupLengthOf(MultiplyAccumulate kind) {
  constexpr int64_t kTileGroups = 16;
  return isTiled(kind) ? stepLengthOf(kind) / kTileGroups : stepLengthOf(kind);
}

bool tessera::kernel::isTiled(MultiplyAccumulate kind) {
  return kind == MultiplyAccumulate::Bf16Tiles ||
         kind == MultiplyAccumulate::U8S8Tiles;
}

LogicalResult
ContractionAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                        int64_t rows, int64_t vectors, int64_t lanes,
                        int64_t taskRows, int64_t taskPanels,
                        int64_t prefetchRows, MultiplyAccumulate accumulate) {
  if (rows < 1 || vectors < 1 || lanes < 1 || taskRows < 1 || taskPanels < 1 ||
      prefetchRows < 0)
    return emitError() << "C1: expects positive tile and task sizes";
  if (taskRows % rows)
    return emitError() << "C2: expects taskRows to be a multiple of rows, but "
                          "got "
                       << taskRows << " and " << rows;
  if (isTiled(accumulate) && (rows != 32 || vectors != 2 || lanes != 16))
    return emitError() << "C3: expects 32 rows and 2 vectors of 16 lanes for "
                          "tiles, but got "
                       << rows << ", " << vectors << " and " << lanes;
  return success();
}

LogicalResult
AttentionAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t rows, int64_t vectors, int64_t lanes,
                      int64_t queryBlock, int64_t keyBlock, int64_t shortRows,
                      int64_t shortKeyBlock) {
  if (rows < 1 || vectors < 1 || lanes < 1 || queryBlock < 1 || keyBlock < 1 ||
      shortRows < 0 || shortKeyBlock < 1)
    return emitError() << "C1: expects positive tile and block sizes";
  if (queryBlock % rows)
    return emitError() << "C2: expects queryBlock to be a multiple of rows, but "
                          "got "
                       << queryBlock << " and " << rows;
  if (keyBlock % (vectors * lanes) || shortKeyBlock % lanes)
    return emitError() << "C3: expects keyBlock to be a multiple of vectors * "
                          "lanes and shortKeyBlock of lanes, but got "
                       << keyBlock << ", " << shortKeyBlock << " and "
                       << vectors << " * " << lanes;
  return success();
}

LogicalResult
ComputedSizeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                         ComputedSizeKind kind, AffineMap operands,
                         StringAttr /*node*/) {
  unsigned expected = 2;
  switch (kind) {
  case ComputedSizeKind::SelectEqual:
  case ComputedSizeKind::SelectLess:
    expected = 4;
    break;
  case ComputedSizeKind::FloatAdd:
  case ComputedSizeKind::FloatSub:
  case ComputedSizeKind::FloatMul:
  case ComputedSizeKind::FloatDiv:
    expected = 3;
    break;
  case ComputedSizeKind::ToInteger:
    expected = 1;
    break;
  default:
    break;
  }
  if (operands.getNumResults() != expected)
    return emitError() << "expects " << expected << " operands of '"
                       << stringifyComputedSizeKind(kind) << "', but got "
                       << operands.getNumResults();
  if (kind == ComputedSizeKind::Element &&
      !isa<AffineConstantExpr>(operands.getResult(0)))
    return emitError() << "expects the number of an input, but got "
                       << AffineMapAttr::get(operands);
  if (givesFloat(kind)) {
    auto bits = dyn_cast<AffineConstantExpr>(operands.getResults().back());
    if (!bits || (bits.getValue() != 32 && bits.getValue() != 64))
      return emitError() << "expects a width of 32 or 64 bits, but got "
                         << AffineMapAttr::get(operands);
  }
  return success();
}

/// [`on` unit `,`]
static ParseResult parseUnit(AsmParser &parser, Unit &unit) {
  if (failed(parser.parseOptionalKeyword("on")))
    return success();
  FailureOr<Unit> parsed = FieldParser<Unit>::parse(parser);
  if (failed(parsed))
    return failure();
  unit = *parsed;
  return parser.parseComma();
}

/// `<` [condition `,`] [`on` unit `,`] schedule `>`
Attribute GuardedAttr::parse(AsmParser &parser, Type) {
  IntegerSetAttr condition;
  Unit unit = Unit::None;
  Attribute last;
  llvm::SMLoc begin = parser.getCurrentLocation();
  if (parser.parseLess() || parseUnit(parser, unit) ||
      parser.parseAttribute(last))
    return {};
  if (unit == Unit::None)
    condition = dyn_cast<IntegerSetAttr>(last);
  if (condition && (parser.parseComma() || parseUnit(parser, unit) ||
                    parser.parseAttribute(last)))
    return {};
  auto schedule = dyn_cast<ScheduleAttrInterface>(last);
  if (!schedule) {
    parser.emitError(begin, "expects a schedule, but got ") << last;
    return {};
  }
  if (parser.parseGreater())
    return {};
  return GuardedAttr::getChecked(
      [&] { return parser.emitError(begin); }, parser.getContext(), condition,
      unit, schedule);
}

void GuardedAttr::print(AsmPrinter &printer) const {
  printer << '<';
  if (getCondition())
    printer << getCondition() << ", ";
  if (getUnit() != Unit::None)
    printer << "on " << stringifyUnit(getUnit()) << ", ";
  printer << getSchedule() << '>';
}

LogicalResult GuardedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  IntegerSetAttr condition, Unit unit,
                                  ScheduleAttrInterface schedule) {
  if (!condition && unit == Unit::None)
    return emitError() << "C3: expects a condition or a unit";
  if (condition && condition.getValue().getNumDims() != 0)
    return emitError() << "C1: expects a condition without dimensions, but got "
                       << condition;
  if (isa<GuardedAttr>(schedule))
    return emitError() << "C2: expects a schedule that is not guarded, but got "
                       << schedule;
  return success();
}

LogicalResult RowsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t lanes, int64_t unroll,
                               int64_t taskElements, int64_t streamBytes,
                               int64_t prefetchRows) {
  if (lanes < 1 || unroll < 1 || taskElements < 1)
    return emitError() << "C1: expects positive sizes";
  if (streamBytes < 0 || prefetchRows < 0)
    return emitError() << "C1: expects streamBytes and prefetchRows not to be "
                          "negative, but got "
                       << streamBytes << " and " << prefetchRows;
  return success();
}

LogicalResult WarpgroupContractionAttr::verify(
    function_ref<InFlightDiagnostic()> emitError, int64_t rows, int64_t columns,
    int64_t depth, int64_t stages, int64_t consumers, int64_t rasterRows,
    bool pingPong) {
  if (stages < 2 || rasterRows < 1 || consumers < 1 || consumers > 3)
    return emitError() << "C1: expects at least 2 stages, 1 to 3 consumers and "
                          "positive rasterRows, but got "
                       << stages << ", " << consumers << " and " << rasterRows;
  int64_t sharers = pingPong ? 1 : consumers;
  if (rows < 1 || rows % (64 * sharers))
    return emitError() << "C2: expects rows to be a multiple of 64 for each of "
                       << sharers << " consumers, but got " << rows;
  if (columns < 1 || columns % 64 || columns > 256)
    return emitError() << "C3: expects columns to be a multiple of 64 up to "
                          "256, but got "
                       << columns;
  if (depth < 1 || depth % 64)
    return emitError() << "C4: expects depth to be a multiple of 64, but got "
                       << depth;
  if (pingPong && consumers != 2)
    return emitError() << "C5: expects 2 consumers to take turns, but got "
                       << consumers;
  return success();
}
