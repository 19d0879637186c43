"""ONNX Runtime as the reference for results and speed."""


def reference_session(path, names=(), threads=0):
    """A session that gives `names`, intermediate values too, beside the model's
    outputs; threads 0 is ONNX Runtime's own choice."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    tapped = sorted(set(names) - {output.name for output in session.get_outputs()})
    if not tapped:
        return session
    import onnx

    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tapped)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=providers
    )
