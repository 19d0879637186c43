// What a call makes of a function body; see the header.
#include "lib/Importer/Onnx/FunctionBody.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

#include <cstring>

using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::TensorProto;

namespace tessera::onnx_importer {

static const AttributeProto *find(llvm::StringRef name, const NodeProto &call,
                                  const onnx::FunctionProto &body) {
  for (const AttributeProto &attribute : call.attribute())
    if (attribute.name() == name)
      return &attribute;
  for (const AttributeProto &attribute : body.attribute_proto())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

/// Replaces references to the function's attributes by the call's.
static void bindAttributes(NodeProto &node, const onnx::FunctionProto &body,
                           const NodeProto &call) {
  auto &attributes = *node.mutable_attribute();
  for (int i = attributes.size() - 1; i >= 0; --i) {
    if (attributes[i].ref_attr_name().empty())
      continue;
    std::string name = attributes[i].name();
    if (const AttributeProto *value =
            find(attributes[i].ref_attr_name(), call, body)) {
      attributes[i] = *value;
      attributes[i].set_name(name);
    } else {
      attributes.DeleteSubrange(i, 1);
    }
  }
}

void bindCall(onnx::FunctionProto &body, const NodeProto &call) {
  llvm::StringSet<> omitted;
  for (int i = 0; i < body.input_size(); ++i)
    if (i >= call.input_size() || call.input(i).empty())
      omitted.insert(body.input(i));
  for (NodeProto &node : *body.mutable_node()) {
    bindAttributes(node, body, call);
    for (std::string &name : *node.mutable_input())
      if (omitted.contains(name))
        name.clear();
  }
}

bool isCallInF64(llvm::ArrayRef<int32_t> inputs,
                 llvm::ArrayRef<int32_t> results) {
  return llvm::is_contained(inputs, TensorProto::DOUBLE) &&
         !llvm::is_contained(inputs, TensorProto::FLOAT) &&
         !llvm::is_contained(results, TensorProto::FLOAT);
}

static void widenTensor(TensorProto &tensor) {
  if (tensor.data_type() != TensorProto::FLOAT)
    return;
  tensor.set_data_type(TensorProto::DOUBLE);
  for (float number : tensor.float_data())
    tensor.add_double_data(number);
  tensor.clear_float_data();
  const std::string narrow = tensor.raw_data();
  tensor.clear_raw_data();
  for (size_t at = 0; at < narrow.size(); at += sizeof(float)) {
    float number;
    std::memcpy(&number, narrow.data() + at, sizeof number);
    tensor.add_double_data(number);
  }
}

/// An attribute `value` with the numbers of value_float or value_floats.
static void makeTensor(AttributeProto &attribute) {
  TensorProto tensor;
  tensor.set_data_type(TensorProto::FLOAT);
  if (attribute.type() == AttributeProto::FLOAT) {
    tensor.add_float_data(attribute.f());
  } else {
    tensor.add_dims(attribute.floats_size());
    *tensor.mutable_float_data() = attribute.floats();
  }
  attribute.Clear();
  attribute.set_name("value");
  attribute.set_type(AttributeProto::TENSOR);
  *attribute.mutable_t() = std::move(tensor);
}

static void widenNode(NodeProto &node) {
  if (node.op_type() == "ConstantOfShape" && node.attribute_size() == 0) {
    AttributeProto &value = *node.add_attribute(); // 0, which is f32 if not said
    value.set_type(AttributeProto::FLOATS);
    value.add_floats(0);
    makeTensor(value);
  }
  for (AttributeProto &attribute : *node.mutable_attribute()) {
    if (node.op_type() == "Cast" && attribute.name() == "to" &&
        attribute.i() == TensorProto::FLOAT)
      attribute.set_i(TensorProto::DOUBLE);
    if (node.op_type() == "Constant" &&
        (attribute.type() == AttributeProto::FLOAT ||
         attribute.type() == AttributeProto::FLOATS))
      makeTensor(attribute);
    if (attribute.type() == AttributeProto::TENSOR)
      widenTensor(*attribute.mutable_t());
    if (attribute.type() == AttributeProto::GRAPH)
      for (NodeProto &inner : *attribute.mutable_g()->mutable_node())
        widenNode(inner);
  }
}

void widenToF64(onnx::FunctionProto &body) {
  for (NodeProto &node : *body.mutable_node())
    widenNode(node);
}

} // namespace tessera::onnx_importer
