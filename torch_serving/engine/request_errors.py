"""Errors of torch's operators that another request would not have: shapes, types, indices, sizes.

Operators check what they are given, and their messages say what was wrong. A model whose layers do
not fit each other fails with the same words whatever it is sent; that can't be told apart. What a
model raises itself is its own (torch.jit.Error), whatever its words are.
"""

import re

import torch

from torch_serving.errors import ClientError, IncompatibleDtype, IncompatibleShape, InvalidInput

# The name of the error, which TorchScript puts before the message of an operator.
NAME = re.compile(r"(?:\w+Error: )?")
INTEGERS = "Bool|Byte|Char|Short|Int|Long|UInt16|UInt32|UInt64"
SHAPES = (
    r"mat1 and mat2 shapes cannot be multiplied",
    r"both arguments to linear need to be at least 1D",
    r"size mismatch, got input ",
    r"inconsistent tensor size, expected ",
    r"The size of tensor a \(\d+\) must match the size of tensor b ",
    r"Sizes of tensors must match except in dimension ",
    r"Tensors must have same number of dimensions: ",
    r"The expanded size of the tensor \(-?\d+\) (?:must match the|isn't allowed in)",
    r"expand\(.*\): the number of sizes provided \(\d+\) must be greater or equal to ",
    r"Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
    r"cannot reshape tensor of 0 elements into shape ",
    r"unflatten: Provided sizes \[.*\] don't multiply up to the size of dim ",
    r"maximum size for tensor at dimension \d+ is \d+ but size is \d+",
    r"diag\(\): Supports 1D or 2D tensors",
    r"(?:tril|triu): input tensor must have at least 2 dimensions",
    r"pixel_shuffle expects its input's 'channel' dimension to be divisible by ",
    r"The shape of the mask .* does not match the shape of the indexed tensor ",
    r"output with shape .* doesn't match the broadcast shape ",
    r"shape '.*' is invalid for input of size ",
    r"stack expects each tensor to be equal size, but got ",
    r"split_with_sizes expects split_sizes to sum exactly to ",
    r"Expected size for first two dimensions of batch2 tensor to be: ",
    r"batch[12] must be a 3D tensor",
    r"(?:self|mat2) must be a matrix",
    r"t\(\) expects a tensor with <= 2 dimensions",
    r"permute\(.*\): number of dimensions in the tensor input does not match ",
    r"einsum\(\): (?:subscript|the number of subscripts) ",
    r"Dimension out of range \(expected to be in range of ",
    r"Given (?:groups|transposed)=\d+, weight of size .*, expected input",
    r"Given normalized_shape=.*, expected input with shape ",
    r"Given input size: .* Output size is too small",
    r"Calculated padded input size per channel: .* Kernel size can't be greater ",
    r"Expected \dD \(unbatched\) or \dD \(batched\) input to ",
    r"non-empty \dD or \dD \(batch mode\) tensor expected for input",
    r"running_mean should contain \d+ elements not \d+",
    r"Expected number of channels in input to be divisible by num_groups",
    r"input has inconsistent input_size: ",
    r"Mismatch of parameter numbers and input channel size",
    r"too many indices for tensor of dimension ",
    r"select\(\) cannot be applied to a 0-dim tensor",
    r"Padding length should be less than or equal to two times the input dimension",
    r"a Tensor with \d+ elements cannot be converted to Scalar",
)
TYPES = (
    r"mat1 and mat2 must have the same dtype",
    r"expected m1 and m2 to have the same dtype",
    r"expected scalar type \w+ but found \w+",
    r"dot : expected both vectors to have same dtype",
    r"mixed dtype \(CPU\): all inputs must share same datatype",
    r"Input type \(.*\) and (?:bias|weight) type \(.*\) should be the same",
    r"Expected tensor for argument #\d+ '\w+' to have (?:one of )?the following scalar type",
    r"Expected query, key, and value to have the same dtype",
    r"result type \w+ can't be cast to the desired output type \w+",
    r"tensors used as indices must be long, int, byte or bool tensors",
    r"(?:gather|scatter|index_select)\(\): Expected dtype int32/int64 for index",
    r"masked_fill_? only supports boolean masks",
    r"where expected condition to be a boolean tensor",
    r"one_hot is only applicable to index tensor of type LongTensor",
    r"mean\(\): could not infer output dtype",
    r"Boolean inputs not supported for ",
    r"(?:Negation|Subtraction), the `-` operator, (?:on a|with two) bool tensors? ",
    rf'"\w+" not implemented for \'(?:{INTEGERS})\'',
)
INDICES = (
    r"index out of range in self",
    r"Index \d+ of input takes value -?\d+ which is not in the valid range",
    r"index -?\d+ is out of bounds for dimension \d+ with size \d+",
    r"select\(\): index -?\d+ out of range for tensor of size ",
    r"start \(-?\d+\) \+ length \(-?\d+\) exceeds dimension size ",
    r"out of range: tried to access index -?\d+ on a tensor of \d+ elements",
    r"selected index k out of range",
    r"Class values must be (?:smaller than num_classes|non-negative)",
    r"start out of range \(expected to be in range of ",
    r"kthvalue\(\): selected number k out of range for dimension ",
    r"KeyError: ",
    r"list index out of range",
)
SIZES = (
    r"\w+: Dimension size must be non-negative",
    r"Trying to create tensor with negative dimension -\d+: ",
    r"Storage size calculation overflowed with sizes=",
    r"invalid shape dimension -\d+ at index \d+ of shape ",
    r"upper bound and lower bound inconsistent with step sign",
    r"unsupported range: ",
    r"step must be nonzero",
    r"number of steps must be non-negative",
    r"n must be greater or equal to 0, got -\d+",
    r"Repeats must be non-negative",
    r"narrow\(\): length must be non-negative",
    r"(?:size|step) is -?\d+ but must be >=? 0",
    r"chunk expects `chunks` to be greater than 0",
    r"split expects split_size be non-negative",
    r"split_size can only be 0 if dimension size is 0",
    r"number of sections must be larger than 0",
    r"cannot sample n_sample ",
    r"random_ expects 'from' to be less than 'to'",
    r"Input and output sizes should be greater than 0, but got input ",
)
TABLE = tuple(
    (re.compile("|".join(messages)), error)
    for messages, error in (
        (SHAPES, IncompatibleShape),
        (TYPES, IncompatibleDtype),
        ((*INDICES, *SIZES), InvalidInput),
    )
)


def request_error(error: Exception, text: str) -> ClientError | None:
    """The error of a request that an operator refused; None for any other.

    `text` is what the error says, without frames.
    """
    if isinstance(error, torch.jit.Error):
        return None
    name = NAME.match(text)
    start = name.end() if name else 0
    for messages, kind in TABLE:
        if messages.match(text, start):
            return kind(text)
    return None
