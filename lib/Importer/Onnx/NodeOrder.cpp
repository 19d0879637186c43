// Orders nodes topologically, without recursion: graphs may be long chains.
#include "lib/Importer/Onnx/ModelImporter.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <queue>

using namespace llvm;
using onnx::NodeProto;

namespace tessera::onnx_importer {
namespace {

using Names = StringSet<>;

void addUses(const NodeProto &node, const Names &inside,
             SmallVectorImpl<StringRef> &names);

/// Names that the nodes of a subgraph read and that are not `inside` it: each may
/// hide an outer name from the node that makes it on.
void addUses(const onnx::GraphProto &graph, Names inside,
             SmallVectorImpl<StringRef> &names) {
  for (const onnx::ValueInfoProto &input : graph.input())
    inside.insert(input.name());
  for (const onnx::TensorProto &tensor : graph.initializer())
    inside.insert(tensor.name());
  for (const NodeProto &node : graph.node()) {
    addUses(node, inside, names);
    for (const std::string &output : node.output())
      inside.insert(output);
  }
  for (const onnx::ValueInfoProto &output : graph.output())
    if (!inside.contains(output.name()))
      names.push_back(output.name());
}

/// Names that a node reads: its inputs and what its subgraphs use from outside.
/// (Messages nest at most kMaxMessageDepth deep, and so does this.)
void addUses(const NodeProto &node, const Names &inside,
             SmallVectorImpl<StringRef> &names) {
  for (const std::string &input : node.input())
    if (!input.empty() && !inside.contains(input))
      names.push_back(input);
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g())
      addUses(attribute.g(), inside, names);
    for (const onnx::GraphProto &graph : attribute.graphs())
      addUses(graph, inside, names);
  }
}

} // namespace

std::vector<const NodeProto *>
orderNodes(const onnx::GraphProto &graph,
           std::vector<const NodeProto *> &cyclic,
           function_ref<bool(StringRef)> isKnownOutside) {
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
  // `user` is the number of a node, or of nodes for the graph itself.
  auto need = [&](StringRef name, int user) {
    auto found = maker.find(name);
    if (found == maker.end() ||
        (found->second >= user && isKnownOutside(name)))
      return -1;
    if (!isLive[found->second]) {
      isLive[found->second] = true;
      open.push_back(found->second);
    }
    return found->second;
  };
  for (const onnx::ValueInfoProto &output : graph.output())
    need(output.name(), count);
  while (!open.empty()) {
    int current = open.back();
    open.pop_back();
    SmallVector<StringRef> names;
    addUses(graph.node(current), {}, names);
    for (StringRef name : names)
      if (int made = need(name, current); made >= 0) {
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
