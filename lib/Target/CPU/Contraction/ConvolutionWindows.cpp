// Convolutions as contractions.
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"
#include "lib/Target/CPU/Elements/OperandView.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

InnerPositions cpu::innerPositions(const ContractionWindow &window,
                                   int64_t positions) {
  int64_t first = llvm::divideCeil(window.padLow, window.stride);
  int64_t room = window.input.size - 1 + window.padLow -
                 (window.kernel - 1) * window.dilation;
  int64_t last = room < 0 ? 0 : room / window.stride + 1;
  first = std::min(first, positions);
  return {first, std::clamp(last, first, positions)};
}

InnerPositions cpu::innerTaps(const ContractionWindow &window,
                              int64_t position) {
  int64_t start = position * window.stride - window.padLow;
  int64_t first =
      start >= 0 ? 0 : llvm::divideCeil(-start, window.dilation);
  int64_t last =
      llvm::divideCeilSigned(window.input.size - start, window.dilation);
  first = std::min(first, window.kernel);
  return {first, std::clamp(last, first, window.kernel)};
}

namespace {

/// Builds the contraction of one convolution.
class ConvolutionMatcher {
public:
  explicit ConvolutionMatcher(graph::ConvOp conv)
      : conv(conv), input(cast<RankedTensorType>(conv.getInput().getType())),
        filter(cast<RankedTensorType>(conv.getFilter().getType())),
        output(cast<RankedTensorType>(conv.getResult().getType())),
        spatial(input.getRank() - 2) {}

  FailureOr<Contraction> match();

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
  bool isPointwise();
  bool mayMergeChannels(int64_t rowDimension);
  int64_t chooseRowDimension();
  void addChannels();
  Contraction matchPointwise();
  Contraction matchGeneral();
  void addTaps(int64_t rowDimension, bool merged);
  void addWindows(int64_t rowDimension, bool merged);

  graph::ConvOp conv;
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

FailureOr<Contraction> ConvolutionMatcher::match() {
  if (ShapedType::isDynamicShape(filter.getShape()))
    return conv.emitOpError("expects a filter of known size");
  c.root = conv;
  c.result = conv.getResult();
  c.lhs = conv.getInput();
  c.rhs = conv.getFilter();
  c.rhsGroups = {llvm::to_vector<2>(llvm::seq<int64_t>(0, spatial + 1)),
                 {spatial + 1}};
  if (isPointwise() && !isDepthwise())
    return matchPointwise();
  return matchGeneral();
}

FailureOr<Contraction> cpu::matchConvolution(graph::ConvOp conv) {
  return ConvolutionMatcher(conv).match();
}
