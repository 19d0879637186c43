"""Single operators, sizes that fit them, and sizes that contradict.

    case("MatMul", "a[m,k] b[l,n]", dict(m=2, k=3, l=3, n=4), [dict(l=5), dict(k=2)])

Inputs are written name[sizes], name:type[sizes] (f is the default); the sizes that are
letters are open. `sizes` fit, and so do the changes of `good`; each of `bad` contradicts.
`values` are the elements of inputs whose numbers matter, which a change may name as well.
Those of type z say how to compute (shapes, pads): a model of open sizes computes them from
the shape of another input. `constants` are inputs that are never given, None omitted ones.
"""

import dataclasses
import re

import numpy as np

TYPES = {"f": np.float32, "i": np.int64, "j": np.int32, "u": np.uint8, "b": np.bool_,
         "z": np.int64}
# What is added to numbers of type z where they are sizes of an input.
SHIFT = 16


@dataclasses.dataclass
class Case:
    operator: str
    inputs: dict  # name: (dtype, sizes)
    computed: set  # names of inputs of type z
    sizes: dict
    bad: list
    good: list
    values: dict
    constants: dict
    outputs: int
    opset: int
    attributes: dict
    name: str = ""
    is_open: bool = True

    def shape(self, port, change):
        return [d if isinstance(d, int) else change.get(d, self.sizes.get(d))
                for d in self.inputs[port][1]]

    def array(self, port, change):
        """Input `port` after `change`."""
        dtype, _ = self.inputs[port]
        otherwise = 1 if dtype is np.float32 else 0
        given = change.get(port, self.values.get(port, otherwise))
        return np.broadcast_to(np.asarray(given, dtype), self.shape(port, change))


def case(operator, inputs, sizes, bad, good=(), values=None, constants=None, outputs=1,
         opset=24, is_open=True, **attributes):
    ports, computed = {}, set()
    for name, kind, dims in re.findall(r"(\w+)(?::(\w))?\[([^]]*)\]", inputs):
        ports[name] = (TYPES[kind or "f"], [int(d) if d.isdigit() else d for d in dims.split(",") if d])
        computed |= {name} if kind == "z" else set()
    return Case(operator, ports, computed, sizes, list(bad), list(good), values or {}, constants or {},
                outputs, opset, attributes, is_open=is_open)


def broadcasting(operators, kind, **attributes):
    return [case(o, f"a:{kind}[n,2] b:{kind}[m,2]", dict(n=3, m=3), [dict(m=4), dict(n=2)],
                 good=[dict(m=1), dict(n=0, m=0)], **attributes) for o in operators]


ints = lambda *values: np.array(values, np.int64)  # noqa: E731

SHAPES = [
    case("Reshape", "x[n,m] s:z[2]", dict(n=3, m=4), [dict(s=[5, 2]), dict(s=[-2, -6]), dict(n=4)],
         values=dict(s=[6, 2])),
    case("Reshape", "x[n]", dict(n=8), [dict(n=3), dict(n=0)], constants=dict(s=ints(2, 4))),
    case("Reshape", "x[n,m]", dict(n=4, m=5), [dict(n=3)], constants=dict(s=ints(-1, 4))),
    case("Reshape", "x[n] s:z[3]", dict(n=8), [dict(n=0, s=[1, 1, 0])], values=dict(s=[1, 1, 8])),
    case("Reshape", "x[10,20,30] s:z[3]", {}, [dict(s=[1, 200, 31]), dict(s=[1, 200, 3000])], values=dict(s=[1, 200, 30])),
    case("Squeeze", "x[n,m]", dict(n=3, m=1), [dict(m=3), dict(m=0)], constants=dict(axes=ints(1))),
    case("Expand", "x[n] s:z[1]", dict(n=7), [dict(s=[500000]), dict(s=[-7]), dict(s=[0])],
         good=[dict(s=[1]), dict(n=1, s=[3])], values=dict(s=[7])),
    case("Expand", "x[7] s:z[2]", {}, [dict(s=[2, 500000])], values=dict(s=[2, 7])),
    case("ConstantOfShape", "s:z[2]", {}, [dict(s=[2, -3])], good=[dict(s=[0, 4])], values=dict(s=[2, 3])),
    case("Tile", "x[n,2] r:z[2]", dict(n=3), [dict(r=[-1, 2])], good=[dict(r=[0, 2])], values=dict(r=[2, 1])),
    case("Concat", "a[n,2] b[m,3]", dict(n=3, m=3), [dict(m=4)], axis=1),
    case("Split", "x[n,2]", dict(n=5), [dict(n=6)], constants=dict(split=ints(2, 3)), outputs=2),
    case("Split", "x[n,2]", dict(n=8), [dict(n=6), dict(n=3)], good=[dict(n=4), dict(n=9)], outputs=5, num_outputs=5),
    case("Split", "x[n,2]", dict(n=6), [dict(n=5)], outputs=2, opset=17),
    case("DepthToSpace", "x[n,c,2,2]", dict(n=1, c=4), [dict(c=6)], is_open=False, blocksize=2),
    case("SpaceToDepth", "x[1,2,h,w]", dict(h=4, w=2), [dict(h=3), dict(w=1)], good=[dict(h=0)], blocksize=2),
    case("OneHot", "i:i[n] d:z[] v[w]", dict(n=3, w=2), [dict(w=3), dict(d=-1)], good=[dict(d=0)], values=dict(d=4)),
    case("Trilu", "x[n,n] k:i[]", dict(n=3), [], good=[dict(k=2**63 - 1), dict(k=-2**63)], values=dict(k=1)),
    case("Slice", "x[n] a:z[1] b:z[1]", dict(n=3), [], good=[dict(a=[-9], b=[9]), dict(a=[9], b=[-9]), dict(n=0)],
         values=dict(a=[1], b=[2])),
    case("Pad", "x[n]", dict(n=9), [dict(n=2), dict(n=5), dict(n=0)], good=[dict(n=6)], constants=dict(p=ints(5, 4)), mode="reflect"),
    case("Pad", "x[n,3]", dict(n=9), [dict(n=0)], good=[dict(n=1)], constants=dict(p=ints(2, 0, 4, 0)), mode="edge"),
    case("Pad", "x[n,3]", dict(n=9), [dict(n=0)], good=[dict(n=1), dict(n=3)], constants=dict(p=ints(5, 0, 4, 0)), mode="wrap"),
    case("Pad", "x[n,3] p:z[4]", dict(n=9), [dict(p=[-6, 0, -6, 0])], good=[dict(p=[-2, 0, -7, 1]), dict(p=[-9, 0, 3, 0])],
         values=dict(p=[1, 2, 0, 1])),
    case("Resize", "x[1,1,h,3]", dict(h=2), [dict(h=0)], constants=dict(r=None, c=None, s=ints(1, 1, 5, 3)), mode="linear"),
    case("Resize", "x[1,1,h,3] s:z[4]", dict(h=2), [dict(h=0), dict(s=[1, 1, -5, 3])], values=dict(s=[1, 1, 5, 3]), constants=dict(r=None, c=None)),
    case("Upsample", "x[1,1,h,3]", dict(h=2), [], good=[dict(h=0)], constants=dict(s=np.array([1, 1, 1.5, 1], np.float32)), opset=9),
    case("Range", "a:z[] n:z[] d:i[]", {}, [], good=[dict(n=0), dict(n=-3)], values=dict(a=0, n=3, d=1), is_open=False),
]

INDEXING = [
    case("Gather", "x[n,4] i:i[k]", dict(n=3, k=2), [dict(n=0)], good=[dict(n=0, k=0), dict(i=[7, -9])], values=dict(i=2)),
    case("Gather", "x[n,4]", dict(n=6), [dict(n=5), dict(n=0)], constants=dict(i=ints(1, 5))),
    case("Gather", "x[n,4]", dict(n=6), [dict(n=5)], constants=dict(i=np.array(-6))),
    case("GatherND", "x[a,b] i:i[n,2]", dict(a=3, b=4, n=5), [dict(a=0), dict(b=0)], good=[dict(a=0, n=0)]),
    case("GatherND", "x[a,b,2] i:i[n,1]", dict(a=3, b=4, n=3), [dict(n=4), dict(n=2), dict(b=0)], good=[dict(a=0, n=0)], batch_dims=1),
    case("GatherElements", "x[a,b] i:i[c,d]", dict(a=3, b=4, c=2, d=9), [dict(c=4), dict(b=0)], good=[dict(b=0, d=0)], axis=1),
    case("Scatter", "x[a,b] i:i[c,d] u[e,f]", dict(a=3, b=4, c=2, d=3, e=2, f=3), [dict(c=4, e=4), dict(e=3), dict(f=1)], axis=1, opset=10),
    case("ScatterElements", "x[a,b] i:i[c,d] u[e,f]", dict(a=3, b=4, c=2, d=3, e=2, f=3),
         [dict(c=4, e=4), dict(e=1), dict(c=1), dict(f=4)], good=[dict(b=0)], axis=1),
    case("ScatterND", "x[a,b] i:i[n,1] u[k,m]", dict(a=3, b=4, n=2, k=2, m=4), [dict(k=3), dict(m=3), dict(n=1)], good=[dict(a=0)]),
    case("TensorScatter", "x[b,h,s,4] u[c,g,t,4] w:i[d]", dict(b=2, h=3, s=5, c=2, g=3, t=2, d=2),
         [dict(g=300), dict(c=3), dict(d=1), dict(d=3), dict(t=6), dict(s=0)], good=[dict(w=[9, -7])]),
    case("TensorScatter", "x[b,s,4] u[c,t,k]", dict(b=2, s=5, c=2, t=2, k=4),
         [dict(c=1), dict(k=3), dict(t=6), dict(s=0)], good=[dict(s=0, t=0)], mode="circular"),
    case("ReverseSequence", "x[t,b,2] l:i[n]", dict(t=4, b=3, n=3), [dict(n=1), dict(n=4), dict(b=1)], good=[dict(l=[9, -9, 2])], values=dict(l=2)),
    case("TopK", "x[n,2] k:z[1]", dict(n=4), [dict(k=[5]), dict(k=[-1]), dict(n=1)], good=[dict(k=[0])], values=dict(k=[3]), outputs=2, axis=0),
    case("ArgMax", "x[n]", dict(n=3), [dict(n=0)], keepdims=0),
    case("ArgMin", "x[n,m]", dict(n=2, m=3), [dict(m=0)], good=[dict(n=0, m=0), dict(n=0)], axis=1),
    case("MaxUnpool", "x[1,2,h] i:i[1,2,w]", dict(h=3, w=3), [dict(w=4), dict(h=2)], kernel_shape=[2], strides=[2]),
    case("RNN", "x[2,b,3] w[1,4,3] r[1,4,4] l:j[n]", dict(b=2, n=2), [dict(n=1), dict(n=3)], values=dict(l=1), constants=dict(bias=None), hidden_size=4),
    case("GRU", "x[2,b,3] w[1,12,3] r[1,12,4] l:j[n]", dict(b=2, n=2), [dict(n=1), dict(n=3)], values=dict(l=1), constants=dict(bias=None), hidden_size=4),
    case("LSTM", "x[2,b,3] w[1,16,3] r[1,16,4] l:j[n]", dict(b=2, n=2), [dict(n=1), dict(n=3)], values=dict(l=1), constants=dict(bias=None), hidden_size=4),
    case("ReduceMean", "x:j[n,m]", dict(n=2, m=3), [], good=[dict(m=0), dict(n=0)], constants=dict(axes=ints(1))),
]

ELEMENTWISE = [
    *broadcasting(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"], "f"),
    *broadcasting(["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"], "f"),
    *broadcasting(["Mod", "BitwiseAnd", "BitwiseOr", "BitwiseXor"], "j"),
    *broadcasting(["BitShift"], "u", direction="LEFT"),
    *broadcasting(["And", "Or", "Xor"], "b"),
    case("Where", "c:b[n,2] a[m,2] b[k,2]", dict(n=3, m=3, k=1), [dict(n=4), dict(k=5)]),
    case("PRelu", "x[n,c] s[k]", dict(n=2, c=3, k=3), [dict(k=4), dict(c=2)], good=[dict(k=1)]),
]

COMPUTING = [
    case("MatMul", "a[m,k] b[l,n]", dict(m=2, k=3, l=3, n=4), [dict(l=5), dict(k=2)]),
    case("MatMul", "a[s,m,3] b[t,3,n]", dict(s=2, m=2, t=2, n=4), [dict(t=3)], good=[dict(t=1)]),
    case("Gemm", "a[m,k] b[l,n] c[p,q]", dict(m=2, k=3, l=3, n=4, p=2, q=4), [dict(l=5), dict(p=3), dict(q=2)], good=[dict(p=1)]),
    case("Einsum", "a[m,k] b[l,n]", dict(m=2, k=3, l=3, n=4), [dict(l=5), dict(k=2)], equation="ij,jk->ik"),
    case("MatMulInteger", "a:u[m,k] b:u[l,n]", dict(m=2, k=3, l=3, n=4), [dict(l=400000), dict(k=2)]),
    case("MatMulInteger", "a:u[m,k] b:u[l,n] z:u[p] y:u[q]", dict(m=2, k=3, l=3, n=4, p=2, q=4), [dict(l=400000), dict(p=3), dict(q=3)]),
    case("QLinearMatMul", "a:u[m,k] as[] az:u[] b:u[l,n] bs[q] bz:u[q] ys[] yz:u[]", dict(m=2, k=3, l=3, n=4, q=4), [dict(l=400000), dict(q=3)]),
    case("Conv", "x[n,3,h] w[4,3,3] b[o]", dict(n=1, h=5, o=4), [dict(o=3), dict(h=1), dict(h=2)], good=[dict(h=3)]),
    case("ConvInteger", "x:u[n,3,h] w:u[4,3,3]", dict(n=1, h=5), [dict(h=1)]),
    case("QLinearConv", "x:u[n,3,h] xs[] xz:u[] w:u[4,3,3] ws[o] wz:u[o] ys[] yz:u[] b:j[p]", dict(n=1, h=5, o=4, p=4), [dict(o=3), dict(p=3), dict(h=1)]),
    case("ConvTranspose", "x[n,3,h] w[3,4,3] b[o]", dict(n=1, h=5, o=4), [dict(o=3)]),
    case("MaxPool", "x[n,3,h]", dict(n=1, h=5), [dict(h=1), dict(h=2)], good=[dict(h=3)], kernel_shape=[3]),
    case("MaxPool", "x[n,3,h]", dict(n=1, h=5), [dict(h=0)], good=[dict(h=1), dict(n=0)], kernel_shape=[2], strides=[2], ceil_mode=1),
    case("AveragePool", "x[n,3,h]", dict(n=1, h=5), [dict(h=1)], kernel_shape=[3]),
    case("LpPool", "x[n,3,h]", dict(n=1, h=5), [dict(h=1)], kernel_shape=[3]),
    case("GridSample", "x[a,3,h,w] g[b,i,j,2]", dict(a=2, h=3, w=4, b=2, i=2, j=2), [dict(b=3), dict(h=0)]),
    case("BatchNormalization", "x[n,c,2] s[i] b[j] m[k] v[l]", dict(n=2, c=3, i=3, j=3, k=3, l=3), [dict(i=2), dict(j=1), dict(k=4), dict(l=2)]),
    case("InstanceNormalization", "x[n,c,2] s[i] b[j]", dict(n=2, c=3, i=3, j=3), [dict(i=2), dict(j=1)]),
    case("GroupNormalization", "x[n,4,2] s[i] b[j]", dict(n=2, i=4, j=4), [dict(i=2), dict(j=1)], num_groups=2),
    case("LayerNormalization", "x[n,c] s[i] b[j]", dict(n=2, c=3, i=3, j=3), [dict(i=2), dict(j=4)]),
    case("RMSNormalization", "x[n,c] s[i]", dict(n=2, c=3, i=3), [dict(i=2)]),
    case("QuantizeLinear", "x[n,c] s[i] z:u[j]", dict(n=2, c=3, i=3, j=3), [dict(i=2, j=2), dict(j=2)], axis=1),
    case("DequantizeLinear", "x:u[n,c] s[i] z:u[j]", dict(n=2, c=3, i=3, j=3), [dict(i=2, j=2), dict(j=2)], axis=1),
    case("DequantizeLinear", "x:u[n,c] s[i,c]", dict(n=4, c=3, i=2), [dict(i=1), dict(i=3)], axis=0, block_size=2),
    case("Attention", "q[b,2,s,8] k[c,2,l,8] v[d,2,m,8]", dict(b=2, s=3, c=2, l=5, d=2, m=5), [dict(c=3), dict(m=4), dict(d=1)]),
    case("Attention", "q[b,2,s,8] k[b,2,l,8] v[b,2,l,8] m[t,u]", dict(b=2, s=3, l=5, t=3, u=5), [dict(t=4)]),
    case("SoftmaxCrossEntropyLoss", "x[n,3,d] l:i[k,e]", dict(n=4, d=6, k=4, e=6), [dict(e=5), dict(k=3)], reduction="none"),
    case("NegativeLogLikelihoodLoss", "x[n,3,d] l:i[k,e] w[c]", dict(n=4, d=6, k=4, e=6, c=3), [dict(e=5), dict(k=3), dict(c=2)], reduction="none"),
    case("RotaryEmbedding", "x[b,2,s,8] c[p,4] i[q,4] o:i[d,t]", dict(b=2, s=3, p=9, q=9, d=2, t=3), [dict(q=8), dict(d=3), dict(t=4)]),
    case("AffineGrid", "t[n,2,3]", dict(n=2), [dict(n=3)], constants=dict(s=ints(2, 1, 3, 4))),
    case("CausalConvWithState", "x[b,3,s] w[3,1,4] o[c] p[d,3,e]", dict(b=2, s=5, c=3, d=2, e=3), [dict(c=4), dict(d=3), dict(e=2)], outputs=2, opset=28),
    case("SwiGLU", "a[n,m] b[k,l]", dict(n=2, m=3, k=2, l=3), [dict(k=1), dict(l=4)], opset=28),
    case("RNN", "x[2,b,i] w[1,h,j] r[1,h,k]", dict(b=2, i=3, h=4, j=3, k=4), [dict(j=4), dict(k=3)], hidden_size=4),
    case("LSTM", "x[2,b,3] w[1,16,3] r[1,16,4] s[1,o] l:j[n] h[1,c,4] e[1,d,4]", dict(b=2, o=32, n=2, c=2, d=2),
         [dict(o=30), dict(c=3), dict(d=3)], values=dict(l=1), hidden_size=4),
    case("GRU", "x[2,b,3] w[1,12,3] r[1,12,4] s[1,o] l:j[n] h[1,c,4]", dict(b=2, o=24, n=2, c=2), [dict(o=20), dict(c=3)], values=dict(l=1), hidden_size=4),
]

# Operators of one tensor, whose other inputs are numbers of the model, if any.
OF_ONE_TENSOR = set("""
    Abs Acos Acosh Asin Asinh Atan Atanh AveragePool BitCast BitwiseNot Cast
    CastLike Ceil Celu Clip Constant Cos Cosh CumProd CumSum Det Dropout
    DynamicQuantizeLinear Elu Erf Exp EyeLike
    Flatten Floor Gelu GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Hardmax Identity
    IsInf IsNaN LRN LeakyRelu Log LogSoftmax LpNormalization Mish Neg Not Reciprocal ReduceL1
    ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Round Selu Shape Sigmoid Sign Sin Sinh Size Softmax Softplus Softsign
    Sqrt Swish Tan Tanh ThresholdedRelu Transpose Unsqueeze
""".split())


def numbered(cases):
    """The cases with a name each, which names all of theirs: Gather_2."""
    count = {}
    for each in cases:
        count[each.operator] = count.get(each.operator, 0) + 1
        each.name = f"{each.operator}_{count[each.operator]}"
    return cases


CASES = numbered(SHAPES + INDEXING + ELEMENTWISE + COMPUTING)
