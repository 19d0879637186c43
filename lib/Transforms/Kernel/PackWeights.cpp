// Stores the right-hand sides of products as the panels that their route reads.
#include "lib/CostModel/ContractionShapes.h"
#include "lib/CostModel/KernelRoute.h"
#include "lib/CostModel/ModuleMachine.h"
#include "lib/CostModel/TypicalSizes.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/TransposedPart.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// A right-hand side as a matrix [depth, columns], or as [taps, depth, columns] where
/// groups would reach from one tap to the next, and its panels.
struct PanelForm {
  PanelLayout layout;
  int64_t taps, depth, columns;

  SmallVector<int64_t> shape() const {
    return taps == 1 ? SmallVector<int64_t>{depth, columns}
                     : SmallVector<int64_t>{taps, depth, columns};
  }
  bool operator==(const PanelForm &other) const {
    return layout.columns == other.layout.columns &&
           layout.group == other.layout.group && shape() == other.shape();
  }
};

/// What reads one declaration.
struct WeightReads {
  SmallVector<graph::WeightOp> places;
  /// Arguments of kernels, each of which has one call.
  SmallVector<BlockArgument> arguments;
  /// Something else does.
  bool areOthers = false;

  SmallVector<OpOperand *> uses() const {
    SmallVector<OpOperand *> all;
    for (BlockArgument argument : arguments)
      for (OpOperand &use : argument.getUses())
        all.push_back(&use);
    return all;
  }
};

/// Decides what is packed, and how.
class PanelChoice {
public:
  PanelChoice(ModuleOp module, StringRef target, const Machine &machine)
      : module(module), machine(machine),
        routes(routesOf(module.getContext(), target)) {}

  /// The form in which the first product among `reads` takes its right-hand side;
  /// none where there is no such product.
  std::optional<PanelForm> formFor(const WeightReads &reads) const;
  /// Whether what reads a weight, but for products that take `form`, are gathers that
  /// may read panels instead.
  bool mayReadPanels(const WeightReads &reads, const PanelForm &form);

private:
  std::optional<PanelForm> formFor(OpOperand &use) const;
  double multiplyAdds();

  ModuleOp module;
  const Machine &machine;
  SmallVector<const KernelRoute *> routes;
  /// Multiply-adds of the module's products at typical sizes, once they are known.
  std::optional<double> total;
};

/// Declares panels and makes kernels read them.
class PanelWriter {
public:
  explicit PanelWriter(ModuleOp module) : symbols(module) {}

  graph::WeightsOp declare(graph::WeightsOp weights, const PanelForm &form);
  /// Makes `reads` read `panels`, of their weight or its transpose.
  void read(graph::WeightsOp panels, const PanelForm &form, bool isTransposed,
            WeightReads &reads);

private:
  SymbolTable symbols;
};

} // namespace

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

/// The weights of `module` and what reads them.
static llvm::MapVector<graph::WeightsOp, WeightReads>
collectReads(ModuleOp module) {
  SymbolTable symbols(module);
  DenseMap<StringAttr, unsigned> calls;
  module.walk([&](kernel::CallOp call) {
    ++calls[call.getCalleeAttr().getAttr()];
  });
  llvm::MapVector<graph::WeightsOp, WeightReads> reads;
  module.walk([&](graph::WeightOp weight) {
    WeightReads &own =
        reads[symbols.lookup<graph::WeightsOp>(weight.getWeights())];
    own.places.push_back(weight);
    for (OpOperand &use : weight->getUses()) {
      auto call = dyn_cast<kernel::CallOp>(use.getOwner());
      if (!call || calls[call.getCalleeAttr().getAttr()] != 1) {
        own.areOthers = true;
        continue;
      }
      auto kernel = symbols.lookup<kernel::FuncOp>(call.getCallee());
      own.arguments.push_back(kernel.getArgument(use.getOperandNumber()));
    }
  });
  return reads;
}

/// The operand is read as [K, N] with N the columns of the result, and each panel by
/// one product: the right-hand side of a plain product, or the filter of a convolution
/// whose groups are whole panels.
std::optional<PanelForm> PanelChoice::formFor(OpOperand &use) const {
  if (use.getOperandNumber() != 1)
    return std::nullopt;
  FailureOr<Contraction> product = contractionOf(use.getOwner());
  auto type = cast<RankedTensorType>(use.get().getType());
  if (failed(product) || product->rhsUse != &use || product->lhsIsVector ||
      product->rhsMap.getNumResults() != 2 || !type.hasStaticShape())
    return std::nullopt;
  std::optional<PanelLayout> layout;
  for (const KernelRoute *route : routes)
    if (!layout)
      layout = route->operandLayout(*product, machine);
  if (!layout)
    return std::nullopt;
  AffineExpr rows = product->rhsMap.getResult(0);
  AffineExpr columns = product->rhsMap.getResult(1);
  AffineExpr column = getAffineDimExpr(product->column, use.get().getContext());
  // The filter of a convolution is collapsed to a matrix.
  bool isRead = product->rhsGroups.empty()
                    ? product->reduction.size() == 1 && columns == column &&
                          rows.isFunctionOfDim(product->reduction[0])
                    : columns.replace(column, column * layout->columns)
                          .isMultipleOf(layout->columns);
  if (!isRead)
    return std::nullopt;
  int64_t all = type.getShape().back();
  int64_t depth = ShapedType::getNumElements(type.getShape().drop_back());
  int64_t inner = product->loops[product->reduction.back()].size;
  if (inner == 0 || inner % layout->group == 0)
    inner = depth;
  return PanelForm{*layout, inner == 0 ? 1 : depth / inner, inner, all};
}

std::optional<PanelForm> PanelChoice::formFor(const WeightReads &reads) const {
  for (OpOperand *use : reads.uses())
    if (std::optional<PanelForm> form = formFor(*use))
      return form;
  return std::nullopt;
}

double PanelChoice::multiplyAdds() {
  if (total)
    return *total;
  total = 0;
  for (auto kernel : module.getOps<kernel::FuncOp>())
    if (std::optional<Contraction> product = contractionIn(kernel)) {
      ContractionShape shape =
          shapeOf(*product, kernel, kernel::MultiplyAccumulate::F32);
      *total +=
          double(shape.outer) * shape.rows * shape.columns * shape.depth;
    }
  return *total;
}

/// Elements of a panel's column lie apart: each one that a gather takes is a cache
/// line, whose time is that of about 128 multiply-adds.
bool PanelChoice::mayReadPanels(const WeightReads &reads,
                                const PanelForm &form) {
  constexpr double kLine = 128, kShare = 1.0 / 32;
  double lines = 0;
  for (OpOperand *use : reads.uses()) {
    if (formFor(*use) == form)
      continue;
    auto gather = dyn_cast<graph::GatherOp>(use->getOwner());
    if (!gather || use->getOperandNumber() != 0)
      return false;
    TypicalSizes sizes(gather->getParentOfType<kernel::FuncOp>());
    double count = 1;
    for (int64_t i = 0; i < gather.getType().getRank(); ++i)
      count *= sizes.of(gather.getResult(), i);
    lines += count;
  }
  return !reads.areOthers &&
         (lines == 0 || lines * kLine <= multiplyAdds() * kShare);
}

/// Whether the recipes of `a` and `b` make one the transpose of the other.
static bool areTransposes(graph::WeightsOp a, graph::WeightsOp b) {
  return a.getPart() != b.getPart() &&
         graph::transposed(a.getPart()) == b.getPart();
}

//===----------------------------------------------------------------------===//
// Panels
//===----------------------------------------------------------------------===//

/// The steps of `recipe` behind the transpose of joined rows, where each of them takes
/// elements by themselves; none where it is another recipe.
static std::optional<ArrayRef<Attribute>>
stepsOfJoinedColumns(ArrayAttr recipe) {
  auto turn = graph::TransposeAttr::get(recipe.getContext(), {1, 0});
  if (recipe.empty() || recipe[0] != turn)
    return std::nullopt;
  ArrayRef<Attribute> rest = recipe.getValue().drop_front();
  for (Attribute step : rest) {
    auto elementwise = dyn_cast<graph::ElementwiseAttr>(step);
    if (!elementwise || !elementwise.getOperands().empty())
      return std::nullopt;
  }
  return rest;
}

/// What makes panels of `weights` by `steps`. Joined columns are packed part by part
/// where each is whole panels: the transpose of joined rows is no view.
static graph::PartAttr packed(graph::PartAttr weights,
                              ArrayRef<Attribute> steps, int64_t width) {
  auto joined = dyn_cast<graph::ConcatAttr>(weights.getSource());
  std::optional<ArrayRef<Attribute>> behind =
      stepsOfJoinedColumns(weights.getRecipe());
  if (!joined || !behind || steps.size() != 1)
    return graph::withSteps(weights, steps);
  SmallVector<graph::PartAttr> parts;
  int64_t panels = 0;
  RankedTensorType type;
  for (graph::PartAttr part : joined.getParts()) {
    std::string reason;
    parts.push_back(graph::withSteps(
        graph::withSteps(graph::transposed(part), *behind), steps));
    FailureOr<RankedTensorType> rows = graph::typeOf(part, reason);
    FailureOr<RankedTensorType> own = graph::typeOf(parts.back(), reason);
    if (failed(rows) || failed(own) || rows->getDimSize(0) % width != 0)
      return graph::withSteps(weights, steps);
    type = *own;
    panels += type.getDimSize(0);
  }
  SmallVector<int64_t> shape(type.getShape());
  shape.front() = panels;
  return graph::PartAttr::get(
      weights.getContext(),
      graph::ConcatAttr::get(weights.getContext(), parts), type.clone(shape),
      ArrayAttr::get(weights.getContext(), {}));
}

graph::WeightsOp PanelWriter::declare(graph::WeightsOp weights,
                                      const PanelForm &form) {
  OpBuilder builder(weights);
  MLIRContext *context = builder.getContext();
  SmallVector<Attribute> steps;
  if (cast<RankedTensorType>(weights.getType()).getShape() !=
      ArrayRef(form.shape()))
    steps.push_back(graph::ReshapeAttr::get(context, form.shape()));
  steps.push_back(graph::PackAttr::get(context, form.layout.columns,
                                       form.layout.group));
  if (form.taps != 1)
    steps.push_back(graph::TransposeAttr::get(context, {1, 0, 2, 3, 4}));
  graph::PartAttr part =
      packed(weights.getPart(), steps, form.layout.columns);
  std::string reason;
  FailureOr<RankedTensorType> type = graph::typeOf(part, reason);
  assert(succeeded(type) && "expects a pack that applies");
  auto panels = graph::WeightsOp::create(
      builder, weights.getLoc(),
      builder.getStringAttr(weights.getSymName() + "_packed"),
      TypeAttr::get(*type), part.getSource(),
      TypeAttr::get(part.getSourceType()), part.getRecipe());
  panels->remove();
  symbols.insert(panels, Block::iterator(weights));
  return panels;
}

/// `panels` as a tensor of `type`.
static Value unpack(OpBuilder &builder, Location loc, Value panels,
                    const PanelForm &form, RankedTensorType type) {
  SmallVector<int64_t> shape = form.shape();
  int64_t last = shape.size() - 1;
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, last));
  order.insert(order.begin(), last);
  SmallVector<int64_t> positions = {last};
  SmallVector<OpFoldResult> tiles = {builder.getIndexAttr(form.layout.columns)};
  if (form.layout.group != 1) {
    positions.push_back(last - 1);
    tiles.push_back(builder.getIndexAttr(form.layout.group));
  }
  Value into =
      tensor::EmptyOp::create(builder, loc, shape, type.getElementType());
  Value value = linalg::UnPackOp::create(builder, loc, panels, into, positions,
                                         tiles, order)
                    .getResult();
  if (type.getRank() == int64_t(shape.size()))
    return value;
  // Each size of `shape` is that of neighbouring dimensions.
  SmallVector<ReassociationIndices> groups(shape.size());
  int64_t group = last, size = 1;
  for (int64_t i = type.getRank(); i-- > 0;) {
    groups[group].insert(groups[group].begin(), i);
    size *= type.getDimSize(i);
    if (group > 0 && size == shape[group]) {
      --group;
      size = 1;
    }
  }
  return tensor::ExpandShapeOp::create(builder, loc, type, value, groups);
}

void PanelWriter::read(graph::WeightsOp panels, const PanelForm &form,
                       bool isTransposed, WeightReads &reads) {
  auto type = cast<RankedTensorType>(panels.getType());
  for (BlockArgument argument : reads.arguments) {
    auto kernel = cast<kernel::FuncOp>(argument.getOwner()->getParentOp());
    OpBuilder builder = OpBuilder::atBlockBegin(argument.getOwner());
    Location loc = argument.getLoc();
    auto plain = cast<RankedTensorType>(argument.getType());
    argument.setType(type);
    SmallVector<OpOperand *> uses = llvm::map_to_vector(
        argument.getUses(), [](OpOperand &use) { return &use; });
    Value value;
    if (isTransposed) {
      auto matrix = plain.clone({plain.getDimSize(1), plain.getDimSize(0)});
      Value into = tensor::EmptyOp::create(builder, loc, plain.getShape(),
                                           plain.getElementType());
      value = linalg::TransposeOp::create(
                  builder, loc, unpack(builder, loc, argument, form, matrix),
                  into, ArrayRef<int64_t>{1, 0})
                  ->getResult(0);
    } else {
      value = unpack(builder, loc, argument, form, plain);
    }
    for (OpOperand *use : uses)
      use->set(value);
    SmallVector<Attribute> shapes(kernel.getShapes().getValue());
    SmallVector<AffineExpr> dims = llvm::map_to_vector(
        type.getShape(), [&](int64_t size) {
          return getAffineConstantExpr(size, builder.getContext());
        });
    shapes[argument.getArgNumber()] = AffineMapAttr::get(AffineMap::get(
        0, kernel.getSymbolCount(), dims, builder.getContext()));
    kernel.setShapesAttr(builder.getArrayAttr(shapes));
    kernel.setFunctionType(builder.getFunctionType(
        kernel.getBody().getArgumentTypes(), kernel.getResultTypes()));
  }
  for (graph::WeightOp place : reads.places) {
    OpBuilder builder(place);
    place.replaceAllUsesWith(graph::WeightOp::create(
                                 builder, place.getLoc(), type,
                                 FlatSymbolRefAttr::get(panels))
                                 .getResult());
    place.erase();
  }
  reads = {};
}

namespace {
struct PackWeights : tessera::impl::PackWeightsBase<PackWeights> {
  using PackWeightsBase::PackWeightsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<Machine> machine = machineOf(module);
    if (failed(machine))
      return signalPassFailure();
    auto reads = collectReads(module);
    PanelChoice choice(module, target, *machine);
    PanelWriter writer(module);
    SmallVector<graph::WeightsOp> replaced;
    for (auto &[weights, own] : reads) {
      std::optional<PanelForm> form = choice.formFor(own);
      if (!form || !choice.mayReadPanels(own, *form))
        continue;
      graph::WeightsOp panels = writer.declare(weights, *form);
      writer.read(panels, *form, /*isTransposed=*/false, own);
      replaced.push_back(weights);
      for (auto &[other, reading] : reads) {
        if (reading.places.empty() || !areTransposes(weights, other) ||
            choice.formFor(reading))
          continue;
        if (!choice.mayReadPanels(reading, *form)) {
          remark::missed(other.getLoc(),
                         remark::RemarkOpts::name("tied").category("weights"))
              << ("'" + other.getSymName() + "' is stored a second time: more "
                  "is read of it than gathers do well through panels")
                     .str();
          continue;
        }
        writer.read(panels, *form, /*isTransposed=*/true, reading);
        replaced.push_back(other);
      }
    }
    for (graph::WeightsOp weights : replaced)
      weights.erase();
  }
};
} // namespace
