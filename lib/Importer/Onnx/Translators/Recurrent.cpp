// RNN, GRU and LSTM, one step after another: their number must be known.
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// Every step is code of its own.
constexpr int64_t kMaxSteps = 256;

enum class Cell { Rnn, Gru, Lstm };

int64_t gatesOf(Cell kind) {
  return kind == Cell::Rnn ? 1 : kind == Cell::Gru ? 3 : 4;
}

/// The state after a step, [batch, hidden]; `cell` is LSTM's.
struct State {
  Value hidden, cell;
};

/// Translates one direction of a recurrent operator.
class Direction {
public:
  Direction(NodeContext &node, Cell kind, int64_t number, bool isReverse,
            int64_t steps, ArrayRef<std::string> activations)
      : node(node), kind(kind), number(number), isReverse(isReverse),
        steps(steps), activations(activations) {}

  /// Runs all steps; `outputs` gets [batch, hidden] of each step of time.
  FailureOr<State> run(SmallVectorImpl<Value> &outputs);

private:
  int64_t gates() const { return gatesOf(kind); }
  template <typename Op> Value apply(Value a, Value b) {
    return node.create<Op>(a, b);
  }
  /// Part `number` of input `index` without that dimension; null if omitted.
  Value part(unsigned index) {
    if (!node.input(index))
      return {};
    Value one = sliceAlong(node, node.input(index), 0,
                           node.constantSize(number), node.constantSize(1));
    return dropDims(node, one, {0});
  }
  /// Gate `i` of `tensor` along its last dimension.
  Value gate(Value tensor, int64_t i) {
    int64_t last = cast<RankedTensorType>(tensor.getType()).getRank() - 1;
    return sliceAlong(node, tensor, last, hidden * i, hidden);
  }
  FailureOr<Value> initial(unsigned index);
  FailureOr<Value> spread(Value vector, Value like) {
    return broadcastTo(node, vector, node.shapeOf(like));
  }
  FailureOr<Value> add(Value a, Value vector) {
    FailureOr<Value> wide = spread(vector, a);
    if (failed(wide))
      return failure();
    return apply<arith::AddFOp>(a, *wide);
  }
  FailureOr<Value> recurrent(Value state, Value weights) {
    return matmul(node, state, transpose(node, weights, {1, 0}));
  }
  Value activate(int64_t i, Value x);
  Value clip(Value x);
  FailureOr<State> step(Value x, const State &state);
  FailureOr<State> stepRnn(Value x, const State &state);
  FailureOr<State> stepGru(Value x, const State &state);
  FailureOr<State> stepLstm(Value x, const State &state);

  NodeContext &node;
  Cell kind;
  int64_t number;
  bool isReverse;
  int64_t steps;
  ArrayRef<std::string> activations;
  AffineExpr hidden, batch;
  Value recurrence, recurrenceBias, peepholes;
};

FailureOr<Value> Direction::initial(unsigned index) {
  Shape shape{batch, hidden};
  Type type = node.inputType(0).getElementType();
  if (!node.input(index))
    return node.filled(node.scalar(0.0, type), shape);
  if (!node.integer("layout", 0))
    return part(index);
  // [batch, directions, hidden]
  Value one = sliceAlong(node, node.input(index), 1, node.constantSize(number),
                         node.constantSize(1));
  return dropDims(node, one, {1});
}

Value Direction::activate(int64_t i, Value x) {
  StringRef name = activations[i];
  if (name.equals_insensitive("tanh"))
    return node.create<math::TanhOp>(x);
  if (name.equals_insensitive("relu"))
    return apply<arith::MaximumFOp>(x, node.filled(0.0, x));
  Value one = node.filled(1.0, x);
  return apply<arith::DivFOp>(
      one, apply<arith::AddFOp>(
               one, node.create<math::ExpOp>(node.create<arith::NegFOp>(x))));
}

Value Direction::clip(Value x) {
  double limit = node.number("clip", 0);
  if (limit <= 0)
    return x;
  x = apply<arith::MinimumFOp>(x, node.filled(limit, x));
  return apply<arith::MaximumFOp>(x, node.filled(-limit, x));
}

FailureOr<State> Direction::stepRnn(Value x, const State &state) {
  FailureOr<Value> sum = recurrent(state.hidden, recurrence);
  if (succeeded(sum))
    sum = apply<arith::AddFOp>(*sum, x);
  if (succeeded(sum) && recurrenceBias)
    sum = add(*sum, recurrenceBias);
  if (failed(sum))
    return failure();
  return State{activate(0, clip(*sum)), Value()};
}

/// Gates: update z, reset r, hidden h.
FailureOr<State> Direction::stepGru(Value x, const State &state) {
  bool isLinear = node.integer("linear_before_reset", 0) != 0;
  auto weights = [&](int64_t i, int64_t count) {
    return sliceAlong(node, recurrence, 0, hidden * i, hidden * count);
  };
  auto bias = [&](Value tensor, int64_t i) -> FailureOr<Value> {
    return recurrenceBias ? add(tensor, gate(recurrenceBias, i))
                          : FailureOr<Value>(tensor);
  };
  FailureOr<Value> both = recurrent(state.hidden, weights(0, 2));
  if (failed(both))
    return failure();
  FailureOr<Value> z = bias(apply<arith::AddFOp>(gate(*both, 0), gate(x, 0)), 0);
  FailureOr<Value> r = bias(apply<arith::AddFOp>(gate(*both, 1), gate(x, 1)), 1);
  if (failed(z) || failed(r))
    return failure();
  Value update = activate(0, clip(*z)), reset = activate(0, clip(*r));
  FailureOr<Value> h;
  if (isLinear) {
    h = recurrent(state.hidden, weights(2, 1));
    if (succeeded(h))
      h = bias(*h, 2);
    if (succeeded(h))
      h = apply<arith::MulFOp>(reset, *h);
  } else {
    h = recurrent(apply<arith::MulFOp>(reset, state.hidden), weights(2, 1));
    if (succeeded(h))
      h = bias(*h, 2);
  }
  if (failed(h))
    return failure();
  Value candidate =
      activate(1, clip(apply<arith::AddFOp>(*h, gate(x, 2))));
  Value rest = apply<arith::SubFOp>(node.filled(1.0, update), update);
  return State{
      apply<arith::AddFOp>(apply<arith::MulFOp>(rest, candidate),
                           apply<arith::MulFOp>(update, state.hidden)),
      Value()};
}

/// Gates: input i, output o, forget f, cell c.
FailureOr<State> Direction::stepLstm(Value x, const State &state) {
  FailureOr<Value> sum = recurrent(state.hidden, recurrence);
  if (succeeded(sum))
    sum = apply<arith::AddFOp>(*sum, x);
  if (succeeded(sum) && recurrenceBias)
    sum = add(*sum, recurrenceBias);
  if (failed(sum))
    return failure();
  auto peep = [&](Value gateSum, int64_t i, Value cell) -> FailureOr<Value> {
    if (!peepholes)
      return gateSum;
    FailureOr<Value> weights = spread(gate(peepholes, i), cell);
    if (failed(weights))
      return failure();
    return apply<arith::AddFOp>(gateSum, apply<arith::MulFOp>(*weights, cell));
  };
  FailureOr<Value> i = peep(gate(*sum, 0), 0, state.cell),
                   f = peep(gate(*sum, 2), 2, state.cell);
  if (failed(i) || failed(f))
    return failure();
  Value input = activate(0, clip(*i));
  Value forget = node.integer("input_forget", 0)
                     ? apply<arith::SubFOp>(node.filled(1.0, input), input)
                     : activate(0, clip(*f));
  Value candidate = activate(1, clip(gate(*sum, 3)));
  Value cell = apply<arith::AddFOp>(apply<arith::MulFOp>(forget, state.cell),
                                    apply<arith::MulFOp>(input, candidate));
  FailureOr<Value> o = peep(gate(*sum, 1), 1, cell);
  if (failed(o))
    return failure();
  Value output = activate(0, clip(*o));
  return State{apply<arith::MulFOp>(output, activate(2, cell)), cell};
}

FailureOr<State> Direction::step(Value x, const State &state) {
  switch (kind) {
  case Cell::Rnn:
    return stepRnn(x, state);
  case Cell::Gru:
    return stepGru(x, state);
  case Cell::Lstm:
    return stepLstm(x, state);
  }
  llvm_unreachable("covered switch");
}

FailureOr<State> Direction::run(SmallVectorImpl<Value> &outputs) {
  bool isBatchFirst = node.integer("layout", 0) != 0;
  Value x = node.input(0);
  if (isBatchFirst)
    x = transpose(node, x, {1, 0, 2});
  batch = node.shapeOf(x)[1];
  recurrence = part(2);
  hidden = node.shapeOf(recurrence)[1];
  peepholes = kind == Cell::Lstm ? part(7) : Value();
  // The input's part of all steps is one product.
  FailureOr<Value> inputs =
      matmul(node, x, transpose(node, part(1), {1, 0}));
  AffineExpr width = hidden * gates();
  if (Value bias = part(3)) {
    recurrenceBias = sliceAlong(node, bias, 0, width, width);
    if (succeeded(inputs))
      inputs = add(*inputs,
                   sliceAlong(node, bias, 0, node.constantSize(0), width));
  }
  FailureOr<Value> first = initial(5),
                   firstCell = kind == Cell::Lstm ? initial(6) : Value();
  if (failed(inputs) || failed(first) || failed(firstCell))
    return failure();
  State state{*first, *firstCell};
  outputs.resize(steps);
  for (int64_t i = 0; i < steps; ++i) {
    int64_t time = isReverse ? steps - 1 - i : i;
    Value now = dropDims(node,
                         sliceAlong(node, *inputs, 0, node.constantSize(time),
                                    node.constantSize(1)),
                         {0});
    FailureOr<State> next = step(now, state);
    if (failed(next))
      return failure();
    outputs[time] = next->hidden;
    if (Value lengths = node.input(4)) {
      // Behind its end a sequence keeps its state and gives zeros.
      Value isRunning = node.create<arith::CmpIOp>(
          arith::CmpIPredicate::sgt, lengths, node.filled(double(time), lengths));
      FailureOr<Value> wide =
          spread(insertUnitDims(node, isRunning, {1}), next->hidden);
      if (failed(wide))
        return failure();
      outputs[time] = node.create<arith::SelectOp>(
          *wide, next->hidden, node.filled(0.0, next->hidden));
      next->hidden =
          node.create<arith::SelectOp>(*wide, next->hidden, state.hidden);
      if (next->cell)
        next->cell =
            node.create<arith::SelectOp>(*wide, next->cell, state.cell);
    }
    state = *next;
  }
  return state;
}

/// Joins tensors along a new dimension `axis`.
Value stack(NodeContext &node, ArrayRef<Value> tensors, int64_t axis) {
  SmallVector<Value> parts;
  for (Value tensor : tensors)
    parts.push_back(insertUnitDims(node, tensor, {axis}));
  if (parts.size() == 1)
    return parts.front();
  Shape shape = node.shapeOf(parts.front());
  shape[axis] = node.constantSize(parts.size());
  return tensor::ConcatOp::create(
      node.builder, node.loc,
      node.typeOf(shape, getElementTypeOrSelf(parts.front())), axis, parts);
}

/// The activations of all directions, the defaults where none are given.
FailureOr<SmallVector<std::string>> activationsOf(NodeContext &node, Cell kind,
                                                  int64_t directions) {
  SmallVector<std::string> defaults{"Tanh"}, given;
  if (kind == Cell::Gru)
    defaults = {"Sigmoid", "Tanh"};
  else if (kind == Cell::Lstm)
    defaults = {"Sigmoid", "Tanh", "Tanh"};
  for (const onnx::AttributeProto &attribute : node.node().attribute())
    if (attribute.name() == "activations")
      given.assign(attribute.strings().begin(), attribute.strings().end());
  if (given.empty())
    for (int64_t i = 0; i < directions; ++i)
      given.append(defaults);
  if (given.size() != defaults.size() * directions)
    return node.error("expects " + Twine(defaults.size() * directions) +
                      " activations but got " + Twine(given.size()));
  for (const std::string &name : given)
    if (!llvm::is_contained({"sigmoid", "tanh", "relu"},
                            StringRef(name).lower()))
      return node.error("activation '" + name +
                        "' is not supported; Sigmoid, Tanh and Relu are");
  return given;
}

/// Fails with a report, or the run does, where weights, biases and states do not fit
/// the input and each other.
LogicalResult requireSizes(NodeContext &node, Cell kind, int64_t directions) {
  bool isBatchFirst = node.integer("layout", 0) != 0;
  Shape x = node.shapeOf(node.input(0));
  AffineExpr count = node.constantSize(directions),
             batch = x[isBatchFirst ? 0 : 1],
             hidden = node.shapeOf(node.input(2))[2];
  if (int64_t given = node.integer("hidden_size", 0))
    hidden = node.constantSize(given);
  AffineExpr width = hidden * gatesOf(kind);
  Shape state{count, batch, hidden};
  if (isBatchFirst)
    std::swap(state[0], state[1]);
  struct {
    StringRef name;
    Shape shape;
  } wanted[] = {{"X", x},
                {"W", {count, width, x[2]}},
                {"R", {count, width, hidden}},
                {"B", {count, width * 2}},
                {"sequence_lens", {batch}},
                {"initial_h", state},
                {"initial_c", state},
                {"P", {count, hidden * 3}}};
  for (auto [i, input] : llvm::enumerate(wanted))
    if (node.input(i) &&
        failed(requireShape(node, node.input(i), input.shape, input.name)))
      return failure();
  return success();
}

template <Cell kind> LogicalResult recurrent(NodeContext &node) {
  if (node.inputRank(0) != 3 || node.inputRank(1) != 3 ||
      node.inputRank(2) != 3)
    return node.error("expects X, W and R of rank 3");
  bool isBatchFirst = node.integer("layout", 0) != 0;
  int64_t steps = node.inputType(0).getDimSize(isBatchFirst ? 1 : 0);
  if (ShapedType::isDynamic(steps) || steps > kMaxSteps || steps == 0)
    return node.error("the number of steps must be known and from 1 to " +
                      Twine(kMaxSteps) + "; pin it");
  StringRef direction = node.string("direction", "forward");
  int64_t directions = direction == "bidirectional" ? 2 : 1;
  if (directions == 1 && direction != "forward" && direction != "reverse")
    return node.error("direction '" + direction + "' does not exist");
  FailureOr<SmallVector<std::string>> activations =
      activationsOf(node, kind, directions);
  if (failed(activations))
    return failure();
  if (failed(requireSizes(node, kind, directions)))
    return failure();
  size_t perDirection = activations->size() / directions;
  SmallVector<SmallVector<Value>> outputs(directions);
  SmallVector<Value> hidden, cells;
  for (int64_t i = 0; i < directions; ++i) {
    Direction one(node, kind, i, direction == "reverse" || i == 1, steps,
                  ArrayRef(*activations).slice(i * perDirection, perDirection));
    FailureOr<State> state = one.run(outputs[i]);
    if (failed(state))
      return failure();
    hidden.push_back(state->hidden);
    cells.push_back(state->cell);
  }
  // Y: [steps, directions, batch, hidden], or batch first.
  if (node.hasOutput(0)) {
    SmallVector<Value> times;
    for (int64_t time = 0; time < steps; ++time) {
      SmallVector<Value> both;
      for (ArrayRef<Value> list : outputs)
        both.push_back(list[time]);
      times.push_back(stack(node, both, isBatchFirst ? 1 : 0));
    }
    node.setOutput(0, stack(node, times, isBatchFirst ? 1 : 0));
  }
  int64_t axis = isBatchFirst ? 1 : 0;
  if (node.hasOutput(1))
    node.setOutput(1, stack(node, hidden, axis));
  if (kind == Cell::Lstm && node.hasOutput(2))
    node.setOutput(2, stack(node, cells, axis));
  return success();
}

} // namespace

void addRecurrentTranslators(TranslatorTable &table) {
  table.add("RNN", recurrent<Cell::Rnn>);
  table.add("GRU", recurrent<Cell::Gru>);
  table.add("LSTM", recurrent<Cell::Lstm>);
}

} // namespace tessera::onnx_importer
