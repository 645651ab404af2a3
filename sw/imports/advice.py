"""What an unsupported operation is refused with: why, and what to use instead."""

from gatewright.hw.errors import BadInput

ACTIVATION = "the datapath clamps, it has no curves; use ReLU, ReLU6 or Hardtanh"
NORM = "it needs each image's own mean and variance; use BatchNorm2d, which folds into the layer before it"
ATTENTION = "host-side: attention multiplies activations by activations and needs softmax; run it outside, or use convolutions and Linear"
GATING = "products of two activations are host-side; use a sum, or a concatenation and a 1 x 1 convolution"
RECURRENT = "there is no state between images; use convolutions or Linear layers"
UPSAMPLING = "maps do not grow; use Conv2d on a map of the size that is wanted"
DIMENSIONS = "maps have two dimensions; use the Conv2d, BatchNorm2d or pooling of the same kind, with a kernel or map of one row"
SOFTMAX = (
    "host-side: it needs exponentials and divides by their sum; use ReLU here, softmax over the classes only as the very last operation"
)
PADDING = "give the zeros to the convolution as its padding"
SHRINKING = "use MaxPool2d, AvgPool2d or a convolution with a stride"
CONSTANT = "the accelerator reads one image and nothing else; keep it as a buffer of one number a channel, or compute it on the host"

ADVICE: dict[str, str] = {
    **dict.fromkeys(("softmax", "log_softmax", "softmin", "softmax2d", "logsoftmax"), SOFTMAX),
    **dict.fromkeys(("layernorm", "layer_norm", "groupnorm", "group_norm", "instancenorm2d", "instance_norm", "rmsnorm", "rms_norm"), NORM),
    **dict.fromkeys(("localresponsenorm", "local_response_norm", "normalize"), NORM),
    **dict.fromkeys(("gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "leakyrelu", "leaky_relu", "elu", "celu"), ACTIVATION),
    **dict.fromkeys(("prelu", "selu", "mish", "softplus", "softsign", "rrelu", "logsigmoid", "threshold", "exp", "abs"), ACTIVATION),
    **dict.fromkeys(("multiheadattention", "transformerencoderlayer", "transformerdecoderlayer", "transformer"), ATTENTION),
    **dict.fromkeys(
        ("transformerencoder", "transformerdecoder", "scaled_dot_product_attention", "multi_head_attention_forward"), ATTENTION
    ),
    **dict.fromkeys(("matmul", "bmm", "einsum", "mm", "baddbmm"), ATTENTION),
    **dict.fromkeys(("mul", "imul", "mul_", "multiply", "div", "truediv", "itruediv", "div_"), GATING),
    **dict.fromkeys(("sub", "isub", "sub_", "neg", "rsub"), "sums only; give the minus sign to the weights of the layer before it"),
    **dict.fromkeys(("lstm", "gru", "rnn", "lstmcell", "grucell", "rnncell"), RECURRENT),
    **dict.fromkeys(("convtranspose2d", "conv_transpose2d", "upsample", "interpolate", "upsamplingbilinear2d", "fold"), UPSAMPLING),
    **dict.fromkeys(("upsamplingnearest2d", "pixelshuffle", "pixel_shuffle", "repeat", "expand"), UPSAMPLING),
    **dict.fromkeys(("conv1d", "conv3d", "batchnorm3d", "maxpool1d", "maxpool3d", "avgpool1d", "avgpool3d"), DIMENSIONS),
    **dict.fromkeys(("adaptiveavgpool1d", "max_pool1d", "avg_pool1d", "adaptive_avg_pool1d"), DIMENSIONS),
    **dict.fromkeys(("zeropad2d", "pad", "reflectionpad2d", "replicationpad2d", "constantpad2d", "circularpad2d"), PADDING),
    **dict.fromkeys(("lppool2d", "fractionalmaxpool2d", "pixel_unshuffle", "pixelunshuffle", "unfold"), SHRINKING),
    **dict.fromkeys(("bilinear", "embedding", "embeddingbag"), "use Linear or Conv2d"),
}
OTHERWISE = (
    "use convolutions, Linear, batch norm, ReLU, pooling, sums of two, concatenation, slices and shuffles of channels; "
    "docs/tutorials/your-own-network.md lists them"
)


def refused(path: str, what: str, rule: str = "") -> BadInput:
    """The error for an operation: the path of the module it is in, its type, and `rule` (by default what the table knows of its type)."""
    return BadInput(f"{path or 'forward'} ({what}): {rule or ADVICE.get(what.lower(), OTHERWISE)}.")
