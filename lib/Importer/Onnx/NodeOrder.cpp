// Orders nodes topologically, without recursion: graphs may be long chains.
#include "lib/Importer/Onnx/ModelImporter.h"

#include "llvm/ADT/DenseMap.h"

#include <queue>

using namespace llvm;
using onnx::NodeProto;

namespace tessera::onnx_importer {
namespace {

/// Names that a node reads: its inputs and what its subgraphs use from outside.
void addUses(const NodeProto &node, SmallVectorImpl<StringRef> &names) {
  SmallVector<const NodeProto *> open{&node};
  auto addGraph = [&](const onnx::GraphProto &graph) {
    for (const NodeProto &inner : graph.node())
      open.push_back(&inner);
    for (const onnx::ValueInfoProto &output : graph.output())
      names.push_back(output.name());
  };
  while (!open.empty()) {
    const NodeProto *current = open.pop_back_val();
    for (const std::string &input : current->input())
      if (!input.empty())
        names.push_back(input);
    for (const onnx::AttributeProto &attribute : current->attribute()) {
      if (attribute.has_g())
        addGraph(attribute.g());
      for (const onnx::GraphProto &graph : attribute.graphs())
        addGraph(graph);
    }
  }
}

} // namespace

std::vector<const NodeProto *>
orderNodes(const onnx::GraphProto &graph,
           std::vector<const NodeProto *> &cyclic) {
  int count = graph.node_size();
  StringMap<int> maker; // of each value
  for (int i = 0; i < count; ++i)
    for (const std::string &output : graph.node(i).output())
      if (!output.empty())
        maker.try_emplace(output, i);

  // What the outputs depend on.
  std::vector<std::vector<int>> users(count);
  std::vector<int> missing(count, 0);
  std::vector<bool> isLive(count, false);
  std::vector<int> open;
  auto need = [&](StringRef name) {
    auto found = maker.find(name);
    if (found == maker.end())
      return -1;
    if (!isLive[found->second]) {
      isLive[found->second] = true;
      open.push_back(found->second);
    }
    return found->second;
  };
  for (const onnx::ValueInfoProto &output : graph.output())
    need(output.name());
  while (!open.empty()) {
    int current = open.back();
    open.pop_back();
    SmallVector<StringRef> names;
    addUses(graph.node(current), names);
    for (StringRef name : names)
      if (int made = need(name); made >= 0) {
        users[made].push_back(current);
        ++missing[current];
      }
  }

  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (int i = 0; i < count; ++i)
    if (isLive[i] && missing[i] == 0)
      ready.push(i);
  std::vector<const NodeProto *> order;
  while (!ready.empty()) {
    int current = ready.top();
    ready.pop();
    order.push_back(&graph.node(current));
    isLive[current] = false;
    for (int user : users[current])
      if (--missing[user] == 0)
        ready.push(user);
  }
  for (int i = 0; i < count; ++i)
    if (isLive[i])
      cyclic.push_back(&graph.node(i));
  return order;
}

} // namespace tessera::onnx_importer
