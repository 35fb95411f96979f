"""The schema of a program's JSON, as torch.export.save writes it.

Fields that a later torch added are not here: it adds none that an older one must know.
"""

from collections.abc import Mapping

# Type -> its fields. `?` after a field: it may be missing. A type is a name of these tables, or
# `[T]` a list, `{T}` an object with any keys, `T?` a T or null.
RECORDS: Mapping[str, Mapping[str, str]] = {
    "Device": {"type": "str", "index?": "int?"},
    "SymExpr": {"expr_str": "expression", "hint?": "SymExprHint?"},
    "TensorMeta": {
        "dtype": "int", "sizes": "[SymInt]", "requires_grad": "bool", "device": "Device",
        "strides": "[SymInt]", "storage_offset": "SymInt", "layout": "int",
    },
    "Named": {"name": "name"},
    "GraphArgument": {"name": "name", "graph": "Graph"},
    "CustomObjArgument": {"name": "name", "class_fqn": "str"},
    "ComplexValue": {"real": "float", "imag": "float"},
    "NamedArgument": {"name": "name or none", "arg": "Argument", "kind?": "int?"},
    "Node": {
        "target": "target", "inputs": "[NamedArgument]", "outputs": "[Argument]",
        "metadata": "{str}", "is_hop_single_tensor_return?": "bool?", "name?": "name?",
    },
    "Graph": {
        "inputs": "[Argument]", "outputs": "[Argument]", "nodes": "[Node]",
        "tensor_values": "{TensorMeta}", "sym_int_values": "{SymInt}",
        "sym_bool_values": "{SymBool}", "is_single_tensor_return?": "bool",
        "custom_obj_values?": "{CustomObjArgument}", "sym_float_values?": "{SymFloat}",
    },
    "Argued": {"arg": "Argument"},
    "ArguedName": {"arg": "Named"},
    "Constant": {"name": "name", "value": "ConstantValue"},
    "Parameter": {"arg": "Named", "parameter_name": "str"},
    "Buffer": {"arg": "Named", "buffer_name": "str", "persistent": "bool"},
    "BufferMutation": {"arg": "Named", "buffer_name": "str"},
    "TensorConstant": {"arg": "Named", "tensor_constant_name": "str"},
    "CustomObj": {"arg": "CustomObjArgument", "custom_obj_name": "str"},
    "UserInputMutation": {"arg": "Named", "user_input_name": "str"},
    "GraphSignature": {"input_specs": "[InputSpec]", "output_specs": "[OutputSpec]"},
    "RangeConstraint": {"min_val?": "int?", "max_val?": "int?"},
    "ModuleCallSignature": {
        "inputs": "[Argument]", "outputs": "[Argument]", "in_spec": "str", "out_spec": "str",
        "forward_arg_names?": "[str]?",
    },
    "ModuleCallEntry": {"fqn": "str", "signature?": "ModuleCallSignature?"},
    "NamedTupleDef": {"field_names": "[str]"},
    "GraphModule": {
        "graph": "Graph", "signature": "GraphSignature", "module_call_graph": "[ModuleCallEntry]",
        "metadata?": "{str}", "treespec_namedtuple_fields?": "{NamedTupleDef}",
    },
    "SchemaVersion": {"major": "int", "minor": "int"},
    "ExportedProgram": {
        "graph_module": "GraphModule", "opset_version": "{int}",
        "range_constraints": "{RangeConstraint}", "schema_version": "SchemaVersion",
        "verifiers?": "[str]", "torch_version?": "str", "guards_code?": "[str]",
    },
}  # fmt: skip
# Type -> the kinds of value of which it is exactly one, as its only key.
UNIONS: Mapping[str, Mapping[str, str]] = {
    "SymExprHint": {"as_int": "int", "as_bool": "bool", "as_float": "float"},
    "SymInt": {"as_expr": "SymExpr", "as_int": "int"},
    "SymFloat": {"as_expr": "SymExpr", "as_float": "float"},
    "SymBool": {"as_expr": "SymExpr", "as_bool": "bool"},
    "SymIntArgument": {"as_name": "name", "as_int": "int"},
    "SymFloatArgument": {"as_name": "name", "as_float": "float"},
    "SymBoolArgument": {"as_name": "name", "as_bool": "bool"},
    "OptionalTensorArgument": {"as_tensor": "Named", "as_none": "bool"},
    "Argument": {
        "as_none": "bool", "as_tensor": "Named", "as_tensors": "[Named]", "as_int": "int",
        "as_ints": "[int]", "as_float": "float", "as_floats": "[float]", "as_string": "str",
        "as_strings": "[str]", "as_sym_int": "SymIntArgument", "as_sym_ints": "[SymIntArgument]",
        "as_scalar_type": "int", "as_memory_format": "int", "as_layout": "int",
        "as_device": "Device", "as_bool": "bool", "as_bools": "[bool]",
        "as_sym_bool": "SymBoolArgument", "as_sym_bools": "[SymBoolArgument]",
        "as_graph": "GraphArgument", "as_optional_tensors": "[OptionalTensorArgument]",
        "as_custom_obj": "CustomObjArgument", "as_operator": "target",
        "as_sym_float": "SymFloatArgument", "as_sym_floats": "[SymFloatArgument]",
        "as_optional_tensor": "OptionalTensorArgument", "as_complex": "ComplexValue",
        "as_nested_tensors": "[[Named]]", "as_int_lists": "[[int]]",
        "as_string_to_argument": "{Argument}", "as_float_lists": "[[float]]",
    },
    "ConstantValue": {
        "as_none": "bool", "as_int": "int", "as_float": "float", "as_string": "str",
        "as_bool": "bool",
    },
    "InputSpec": {
        "user_input": "Argued", "parameter": "Parameter", "buffer": "Buffer",
        "tensor_constant": "TensorConstant", "custom_obj": "CustomObj", "token": "ArguedName",
        "constant_input": "Constant",
    },
    "OutputSpec": {
        "user_output": "Argued", "loss_output": "ArguedName", "buffer_mutation": "BufferMutation",
        "gradient_to_parameter": "Parameter", "gradient_to_user_input": "UserInputMutation",
        "user_input_mutation": "UserInputMutation", "token": "ArguedName",
        "parameter_mutation": "Parameter",
    },
}  # fmt: skip
