"""Builds small models of `transformers` by kind: encoders, decoders with caches,
encoder-decoders, images, sound. Each function gives one that makes a `Small`.

Weights are random, sizes odd where classes allow it: heads of 24, vocabularies of
211.
"""

import dataclasses

import torch
import transformers
from export import Case, Decoder, ImageModel, Output

BATCH, LENGTH, PAST = 2, 7, 5
VOCABULARY = 211
WIDTH, HEADS, WIDE = 96, 4, 150


@dataclasses.dataclass
class Small:
    """A Case, the number of its attentions, and sizes to run it at by axis name."""

    case: Case
    attentions: int
    sizes: list


TEXT_SIZES = [{"batch": b, "sequence": s} for b, s in ((1, 1), (3, 17), (2, 40))]
STEP_SIZES = [
    {"batch": b, "sequence": s, "past": p, "total": p + s}
    for b, s, p in ((2, 4, 0), (1, 1, 5), (3, 17, 5))
]
IMAGE_SIZES = [{"batch": 1}, {"batch": 3}]
CROSS_SIZES = [
    {"batch": b, "sequence": s, "past": p, "total": p + s, "source": n}
    for b, s, p, n in ((2, 4, 0, 9), (1, 1, 5, 1), (3, 6, 5, 17))
]


def enliven(model):
    """Random parameters of the magnitude of trained ones: what starts as 0, 1 or
    1e-6 says nothing about an error, and neither do scores near 0."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim >= 2:
                parameter.copy_(noise / (parameter[0].numel() ** 0.5))
            elif parameter.numel() and parameter.abs().max() < 1e-3:
                parameter.copy_(0.1 * noise)
            else:
                parameter.mul_(1 + 0.1 * noise)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(std=0.1, generator=generator)
            elif name.endswith("running_var"):
                buffer.uniform_(0.8, 1.2, generator=generator)
    return model.eval()


def config_of(name, **sizes):
    config = transformers.AutoConfig.for_model(name, **sizes)
    config.return_dict = True
    return config


class Named(Output):
    """Output of a model by the names of its inputs, in a fixed order."""

    def __init__(self, model, inputs, outputs, **fixed):
        super().__init__(model, outputs, **fixed)
        self.inputs = inputs

    def forward(self, *arguments):
        return super().forward(**dict(zip(self.inputs, arguments)))


def signature(forward, names):
    """A module whose parameters are called `names`, as exporters want to see."""
    scope = {}
    exec(  # noqa: S102: the only way to name parameters that a table lists
        f"def forward(self, {', '.join(names)}):\n"
        f"    return self.call({', '.join(names)})\n",
        scope,
    )
    kind = type("Model", (torch.nn.Module,), {"forward": scope["forward"]})
    module = kind()
    module.call = forward
    return module


def case(model, inputs, axes, outputs, **fixed):
    named = Named(enliven(model), list(inputs), outputs, **fixed)
    return Case(signature(named, inputs), inputs, axes, outputs)


def ids(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(3, VOCABULARY, shape, generator=generator)


def normal(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def padding(batch, length):
    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[-1, : length // 3] = 0
    return mask


# -- Encoders of text


def encoder(name, attentions=2, types=False, extra=(), output="last_hidden_state", **sizes):
    """`sizes` None: the class has no such size."""
    usual = dict(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=HEADS,
        intermediate_size=WIDE, max_position_embeddings=80,
    )
    usual = {k: v for k, v in (usual | sizes).items() if v is not None}

    def build():
        torch.manual_seed(0)
        model = transformers.AutoModel.from_config(config_of(name, **usual))
        inputs = {"input_ids": ids(BATCH, LENGTH), "attention_mask": padding(BATCH, LENGTH)}
        if types:
            inputs["token_type_ids"] = torch.zeros(BATCH, LENGTH, dtype=torch.int64)
        if "bbox" in extra:
            inputs["bbox"] = torch.zeros(BATCH, LENGTH, 4, dtype=torch.int64)
        axes = {key: {0: "batch", 1: "sequence"} for key in inputs}
        if "no mask" in extra:
            del inputs["attention_mask"], axes["attention_mask"]
        return Small(case(model, inputs, axes, [output]), attentions, TEXT_SIZES)

    return build


def encoder_of_pair(name, **sizes):
    """The encoder of an encoder-decoder."""

    def build():
        torch.manual_seed(0)
        model = transformers.AutoModel.from_config(config_of(name, **sizes)).get_encoder()
        inputs = {"input_ids": ids(BATCH, LENGTH), "attention_mask": padding(BATCH, LENGTH)}
        axes = {key: {0: "batch", 1: "sequence"} for key in inputs}
        return Small(case(model, inputs, axes, ["last_hidden_state"]), 2, TEXT_SIZES)

    return build


# -- Decoders


def caches(config):
    layers = config.num_hidden_layers
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    if config.model_type == "falcon":
        heads = config.num_kv_heads if config.new_decoder_architecture else (
            1 if config.multi_query else heads)
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    shape = (BATCH, heads, PAST, dim)
    names = [f"{part}.{i}" for i in range(layers) for part in ("key", "value")]
    return [normal(*shape) for _ in names], [f"present.{name}" for name in names]


class StepWithoutPositions(Decoder):
    def forward(self, input_ids, attention_mask, past):
        pairs = [(past[2 * i], past[2 * i + 1]) for i in range(self.layers)]
        outputs = self.model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=True,
            past_key_values=transformers.DynamicCache(pairs),
        )
        present = [t for layer in outputs.past_key_values.layers for t in (layer.keys, layer.values)]
        return (outputs.logits, *present)


def decoder(name, positions=True, attentions=2, attention=None, **sizes):
    usual = dict(
        vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=HEADS,
        intermediate_size=WIDE, max_position_embeddings=80, pad_token_id=0, bos_token_id=1,
        eos_token_id=2,
    )
    usual = {k: v for k, v in (usual | sizes).items() if v is not None}

    def build():
        torch.manual_seed(0)
        config = config_of(name, **usual)
        options = {"attn_implementation": attention} if attention else {}
        model = enliven(transformers.AutoModelForCausalLM.from_config(config, **options))
        past, present = caches(config)
        inputs = {
            "input_ids": ids(BATCH, LENGTH),
            "attention_mask": torch.ones(BATCH, PAST + LENGTH, dtype=torch.int64),
        }
        axes = {
            "input_ids": {0: "batch", 1: "sequence"},
            "attention_mask": {0: "batch", 1: "total"},
        }
        if positions:
            inputs["position_ids"] = torch.arange(PAST, PAST + LENGTH).repeat(BATCH, 1)
            axes["position_ids"] = {0: "batch", 1: "sequence"}
        inputs["past"] = past
        axes["past"] = [{0: "batch", 2: "past"} for _ in past]
        step = (Decoder if positions else StepWithoutPositions)(model, config.num_hidden_layers)
        made = Case(step, inputs, axes, ["logits", *present])
        return Small(made, attentions, STEP_SIZES)

    return build


class CrossDecoder(torch.nn.Module):
    """A step of an encoder-decoder's decoder: its own past and the encoder's keys
    and values, four tensors a layer."""

    def __init__(self, model, layers):
        super().__init__()
        self.model, self.layers = model, layers

    def forward(self, decoder_input_ids, encoder_attention_mask, encoder_hidden, past):
        own = [(past[4 * i], past[4 * i + 1]) for i in range(self.layers)]
        cross = [(past[4 * i + 2], past[4 * i + 3]) for i in range(self.layers)]
        cache = transformers.EncoderDecoderCache(
            transformers.DynamicCache(own), transformers.DynamicCache(cross)
        )
        outputs = self.model(
            encoder_outputs=transformers.modeling_outputs.BaseModelOutput(encoder_hidden),
            attention_mask=encoder_attention_mask,
            decoder_input_ids=decoder_input_ids,
            past_key_values=cache, use_cache=True,
        )
        own = outputs.past_key_values.self_attention_cache.layers
        return (outputs.logits, *[t for layer in own for t in (layer.keys, layer.values)])


class FirstCrossDecoder(torch.nn.Module):
    """The same without a past: the encoder's result gives keys and values."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, decoder_input_ids, encoder_attention_mask, encoder_hidden):
        outputs = self.model(
            encoder_outputs=transformers.modeling_outputs.BaseModelOutput(encoder_hidden),
            attention_mask=encoder_attention_mask,
            decoder_input_ids=decoder_input_ids, use_cache=False,
        )
        return (outputs.logits,)


def cross_decoder(name, width=WIDTH, heads=HEADS, with_past=True, **sizes):
    def build():
        torch.manual_seed(0)
        config = config_of(name, **sizes)
        model = enliven(transformers.AutoModelForSeq2SeqLM.from_config(config))
        inputs = {
            "decoder_input_ids": ids(BATCH, LENGTH),
            "encoder_attention_mask": padding(BATCH, 9),
            "encoder_hidden": normal(BATCH, 9, width),
        }
        axes = {
            "decoder_input_ids": {0: "batch", 1: "sequence"},
            "encoder_attention_mask": {0: "batch", 1: "source"},
            "encoder_hidden": {0: "batch", 1: "source"},
        }
        outputs = ["logits"]
        if with_past:
            dim = width // heads
            inputs["past"] = [
                normal(BATCH, heads, length, dim) for _ in range(2)
                for length in (PAST, PAST, 9, 9)
            ]
            axes["past"] = [
                {0: "batch", 2: name} for _ in range(2) for name in ("past", "past", "source", "source")
            ]
            outputs += [f"present.{i}.{part}" for i in range(2) for part in ("key", "value")]
        step = CrossDecoder(model, 2) if with_past else FirstCrossDecoder(model)
        return Small(Case(step, inputs, axes, outputs), 4, CROSS_SIZES)

    return build


BART = dict(
    vocab_size=VOCABULARY, d_model=WIDTH, encoder_layers=2, decoder_layers=2,
    encoder_attention_heads=HEADS, decoder_attention_heads=HEADS, encoder_ffn_dim=WIDE,
    decoder_ffn_dim=WIDE, max_position_embeddings=80, pad_token_id=0, bos_token_id=1,
    eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2,
)
T5 = dict(
    vocab_size=VOCABULARY, d_model=WIDTH, d_kv=24, d_ff=WIDE, num_layers=2, num_heads=HEADS,
    num_decoder_layers=2, decoder_start_token_id=0,
)


# -- Images


def images(name, kind="AutoModel", output="last_hidden_state", attentions=2, size=64,
           free=False, channels=3, sizes=None, **config):
    """`free`: heights and widths are dynamic too."""

    def build():
        torch.manual_seed(0)
        model = getattr(transformers, kind).from_config(config_of(name, **config))
        outputs = [output] if isinstance(output, str) else list(output)
        axes = {0: "batch"}
        if free:
            axes |= {2: "height", 3: "width"}
        made = Case(ImageModel(enliven(model), outputs),
                    {"pixel_values": normal(BATCH, channels, size, size)},
                    {"pixel_values": axes}, outputs)
        runs = IMAGE_SIZES
        if free:
            runs = sizes or [{"batch": 1, "height": size, "width": size},
                             {"batch": 2, "height": size + 32, "width": 2 * size}]
        return Small(made, attentions, runs)

    return build


CLASSIFY = dict(kind="AutoModelForImageClassification", output="logits", num_labels=11)
VIT = dict(hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=HEADS,
           intermediate_size=WIDE, image_size=64, patch_size=16)


def detector():
    backbone = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[32, 48, 64, 96], depths=[1, 1, 1, 1],
        out_features=["stage4"])
    return dict(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
        backbone_config=backbone, d_model=WIDTH,
        encoder_layers=2, decoder_layers=2, encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS, encoder_ffn_dim=WIDE, decoder_ffn_dim=WIDE,
        num_queries=13, num_labels=5)


# -- Sound


def sound(name, parameter, shape, axes, attentions=2, part=None, sizes=None,
          output="last_hidden_state", **config):
    def build():
        torch.manual_seed(0)
        model = transformers.AutoModel.from_config(config_of(name, **config))
        if part:
            model = getattr(model, part)()
        inputs = {parameter: normal(*shape)}
        return Small(case(model, inputs, {parameter: axes}, [output]), attentions,
                     sizes or IMAGE_SIZES)

    return build


WAVE = dict(
    hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=HEADS, intermediate_size=WIDE,
    conv_dim=[32, 32, 32], conv_stride=[5, 2, 2], conv_kernel=[10, 3, 3],
    num_feat_extract_layers=3, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
    vocab_size=32,
)
WAVES = ("input_values", (2, 2000), {0: "batch", 1: "samples"})
WAVE_SIZES = [{"batch": 1, "samples": 1500}, {"batch": 3, "samples": 3011}]
