// Convolutions as products: shifted windows instead of gathered columns.
#include "dialects/Graph/IR/Graph.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

namespace {

/// Builds the contraction of one convolution.
class ConvolutionMatcher {
public:
  explicit ConvolutionMatcher(ConvOp conv)
      : conv(conv), input(cast<RankedTensorType>(conv.getInput().getType())),
        filter(cast<RankedTensorType>(conv.getFilter().getType())),
        output(cast<RankedTensorType>(conv.getResult().getType())),
        spatial(input.getRank() - 2) {}

  Contraction match();

private:
  AffineExpr dim(unsigned loop) {
    return getAffineDimExpr(loop, conv.getContext());
  }
  int64_t channelsOfGroup() { return filter.getDimSize(spatial); }
  int64_t columnsOfGroup() {
    return filter.getShape().back() / conv.getGroups();
  }
  bool isDepthwise() {
    return channelsOfGroup() == 1 && columnsOfGroup() == 1 &&
           conv.getGroups() > 1;
  }
  /// Elements of 4 bytes, of types that have multiply-accumulates of so many.
  int64_t elementsTogether() {
    Type type = input.getElementType();
    return type.isInteger(8) ? 4 : type.isBF16() ? 2 : 1;
  }
  bool isPointwise();
  bool mayMergeChannels(int64_t rowDimension);
  int64_t chooseRowDimension();
  void addChannels();
  Contraction matchPointwise();
  Contraction matchGeneral();
  void addTaps(int64_t rowDimension, bool merged);
  void addWindows(int64_t rowDimension, bool merged);

  ConvOp conv;
  RankedTensorType input, filter, output;
  int64_t spatial;
  Contraction c;
  SmallVector<unsigned> positions, taps;
  unsigned channel = 0;
  /// Channel index of the input and column of the filter and the result.
  AffineExpr inputChannel, outputColumn;
};

} // namespace

/// Whether every position reads one pixel and all pixels are read in order.
bool ConvolutionMatcher::isPointwise() {
  auto all = [](ArrayRef<int64_t> values, int64_t expected) {
    return llvm::all_of(values, [=](int64_t v) { return v == expected; });
  };
  ArrayRef<int64_t> pixels = input.getShape().slice(1, spatial);
  return all(filter.getShape().take_front(spatial), 1) &&
         all(conv.getStrides(), 1) && all(conv.getPadLow(), 0) &&
         all(conv.getPadHigh(), 0) && !ShapedType::isDynamicShape(pixels) &&
         mayCollapse(conv.getInput());
}

/// Whether a tap and the channels under it are one range of memory: no spatial
/// dimension behind the row dimension has more than one element.
bool ConvolutionMatcher::mayMergeChannels(int64_t row) {
  if (conv.getGroups() != 1 || conv.getDilations()[row] != 1 ||
      !mayCollapse(conv.getInput()))
    return false;
  // Windows that leave the input begin at any tap. Narrow elements are multiplied
  // several at a time, all of one tap.
  bool leaves = conv.getPadLow()[row] || conv.getPadHigh()[row];
  if (leaves && channelsOfGroup() % elementsTogether() != 0)
    return false;
  for (int64_t i = row + 1; i < spatial; ++i)
    if (input.getDimSize(i + 1) != 1 || filter.getDimSize(i) != 1)
      return false;
  return true;
}

int64_t ConvolutionMatcher::chooseRowDimension() {
  int64_t row = spatial - 1;
  auto size = [&](int64_t i) {
    int64_t positions = output.getDimSize(i + 1);
    return ShapedType::isDynamic(positions)
               ? std::numeric_limits<int64_t>::max()
               : positions;
  };
  for (int64_t i = spatial - 1; i >= 0; --i)
    if (size(i) > size(row))
      row = i;
  // The innermost dimension is at least as good unless it is very short.
  constexpr int64_t kEnoughRows = 12;
  return size(spatial - 1) >= kEnoughRows ? spatial - 1 : row;
}

/// The group, column and channel loops.
void ConvolutionMatcher::addChannels() {
  MLIRContext *context = conv.getContext();
  int64_t last = output.getRank() - 1;
  if (isDepthwise()) {
    c.lhsIsVector = true;
    c.column = c.addLoop(output.getShape().back(), {conv.getResult(), last});
    inputChannel = outputColumn = dim(c.column);
    return;
  }
  AffineExpr group = getAffineConstantExpr(0, context);
  if (conv.getGroups() > 1) {
    c.outer.push_back(c.addLoop(conv.getGroups(), {}));
    group = dim(c.outer.back());
  }
  c.column = c.addLoop(columnsOfGroup(), {});
  channel = c.addLoop(channelsOfGroup(), {});
  inputChannel = group * channelsOfGroup() + dim(channel);
  outputColumn = group * columnsOfGroup() + dim(c.column);
}

/// lhs (n, pixel, channel), rhs (channel, column), result (n, h, w, column).
Contraction ConvolutionMatcher::matchPointwise() {
  MLIRContext *context = conv.getContext();
  unsigned batch = c.addLoop(input.getDimSize(0), {conv.getInput(), 0});
  c.outer.push_back(batch);
  int64_t pixels = 1;
  ReassociationIndices group;
  for (int64_t i = 1; i <= spatial; ++i) {
    pixels *= input.getDimSize(i);
    group.push_back(i);
  }
  c.row = c.addLoop(pixels, {});
  addChannels();
  c.reduction = {channel};
  c.lhsGroups = {{0}, group, {spatial + 1}};
  c.lhsMap = AffineMap::get(c.loops.size(), 0,
                            {dim(batch), dim(c.row), inputChannel}, context);
  c.rhsMap = AffineMap::get(c.loops.size(), 0, {dim(channel), outputColumn},
                            context);
  SmallVector<AffineExpr> result = {dim(batch)};
  AffineExpr rest = dim(c.row);
  int64_t inner = pixels;
  for (int64_t i = 1; i <= spatial; ++i) {
    inner /= input.getDimSize(i);
    result.push_back(i == spatial ? rest : rest.floorDiv(inner));
    rest = rest % inner;
  }
  result.push_back(outputColumn);
  c.resultMap = AffineMap::get(c.loops.size(), 0, result, context);
  return c;
}

/// Loops over taps, and the filter's map over [taps and channels, columns].
void ConvolutionMatcher::addTaps(int64_t row, bool merged) {
  MLIRContext *context = conv.getContext();
  AffineExpr filterRow = getAffineConstantExpr(0, context);
  for (int64_t i = 0; i < spatial; ++i) {
    bool joined = merged && i == row;
    int64_t size = filter.getDimSize(i) * (joined ? channelsOfGroup() : 1);
    taps.push_back(c.addLoop(size, {}));
    c.reduction.push_back(taps[i]);
    filterRow = filterRow * size + dim(taps[i]);
  }
  // Elements that are multiplied together are neighbours of the last loop; those
  // behind the taps of the rows have one index.
  if (merged && elementsTogether() > 1)
    std::rotate(c.reduction.begin() + row, c.reduction.begin() + row + 1,
                c.reduction.end());
  if (!merged && !isDepthwise()) {
    c.reduction.push_back(channel);
    filterRow = filterRow * channelsOfGroup() + dim(channel);
  }
  c.rhsMap =
      AffineMap::get(c.loops.size(), 0, {filterRow, outputColumn}, context);
}

void ConvolutionMatcher::addWindows(int64_t row, bool merged) {
  for (int64_t i = 0; i < spatial; ++i) {
    if (!conv.getPadLow()[i] && !conv.getPadHigh()[i])
      continue;
    c.windows.push_back({positions[i], taps[i], filter.getDimSize(i),
                         merged && i == row ? channelsOfGroup() : 1,
                         conv.getStrides()[i], conv.getDilations()[i],
                         conv.getPadLow()[i], conv.getPadHigh()[i],
                         {input.getDimSize(i + 1), {conv.getInput(), i + 1}}});
  }
}

Contraction ConvolutionMatcher::matchGeneral() {
  MLIRContext *context = conv.getContext();
  int64_t row = chooseRowDimension();
  bool merged = mayMergeChannels(row);
  unsigned batch = c.addLoop(input.getDimSize(0), {conv.getInput(), 0});
  c.outer.push_back(batch);
  SmallVector<AffineExpr> result = {dim(batch)};
  for (int64_t i = 0; i < spatial; ++i) {
    positions.push_back(
        c.addLoop(output.getDimSize(i + 1), {conv.getResult(), i + 1}));
    result.push_back(dim(positions[i]));
    if (i != row)
      c.outer.push_back(positions[i]);
  }
  c.row = positions[row];
  addChannels();
  addTaps(row, merged);
  addWindows(row, merged);
  result.push_back(outputColumn);
  c.resultMap = AffineMap::get(c.loops.size(), 0, result, context);

  SmallVector<AffineExpr> lhs = {dim(batch)};
  for (int64_t i = 0; i < (merged ? row : spatial); ++i)
    lhs.push_back(dim(positions[i]) * conv.getStrides()[i] +
                  dim(taps[i]) * conv.getDilations()[i] - conv.getPadLow()[i]);
  if (merged) {
    int64_t channels = channelsOfGroup();
    lhs.push_back(dim(positions[row]) * (conv.getStrides()[row] * channels) +
                  dim(taps[row]) - conv.getPadLow()[row] * channels);
    for (int64_t i = 0; i <= row; ++i)
      c.lhsGroups.push_back({i});
    c.lhsGroups.push_back(
        llvm::to_vector<2>(llvm::seq<int64_t>(row + 1, spatial + 2)));
  } else {
    lhs.push_back(inputChannel);
  }
  c.lhsMap = AffineMap::get(c.loops.size(), 0, lhs, context);
  return c;
}

Contraction ConvolutionMatcher::match() {
  c.root = conv;
  c.result = conv.getResult();
  c.lhsUse = &conv.getInputMutable();
  c.rhsUse = &conv.getFilterMutable();
  if (conv.getUnsignedInput())
    c.lhsSignedness = Signedness::Unsigned;
  c.rhsGroups = {llvm::to_vector<2>(llvm::seq<int64_t>(0, spatial + 1)),
                 {spatial + 1}};
  if (isPointwise() && !isDepthwise())
    return matchPointwise();
  return matchGeneral();
}

bool ConvOp::isProduct() { return true; }

// The row loop runs over the spatial dimension with the most positions, so that a
// 1-d convolution with unit dimensions around it is as fast as a plain one; a 1x1
// convolution without padding runs over all positions at once. The channels join
// the tap loop of the row dimension where they are neighbours in memory.
FailureOr<Contraction>
ConvOp::getContraction(function_ref<InFlightDiagnostic()> emitError) {
  if (cast<RankedTensorType>(getFilter().getType()).hasStaticShape())
    return ConvolutionMatcher(*this).match();
  if (emitError)
    emitError() << "expects a filter of known size";
  return failure();
}
