"""A check for traced code that costs nothing: `checkify.debug_check` without its effect.

JAX's own check carries an effect, so that it is never dropped, and a compiled function with an
effect is called by the slow path from Python: some 60 to 120 us a call. This one has none. It is
told under `checkify.checkify` all the same, and gone after compilation.
"""

import jax
import jax.numpy as jnp
from jax.experimental import checkify
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

try:
    # No public way leads to the table of rules.
    from jax._src.checkify import FailedCheckError, assert_func, error_checks, get_traceback
except ImportError:  # another version of JAX: its own check is slower to call, and right
    error_checks = None

_stage = Primitive("infojax_check")
_stage.multiple_results = True
_stage.def_impl(lambda valid, message: [])
_stage.def_abstract_eval(lambda valid, message: [])
mlir.register_lowering(_stage, lambda context, valid, message: [])


def _batch(arguments, dimensions, *, message):
    del dimensions
    return _stage.bind(jnp.all(arguments[0]), message=message), []


def _differentiate(primals, tangents, *, message):
    del tangents
    return _stage.bind(*primals, message=message), []


batching.primitive_batchers[_stage] = _batch
ad.primitive_jvps[_stage] = _differentiate


def _tell(error, enabled_errors, valid, *, message):
    if FailedCheckError in enabled_errors:
        failure = FailedCheckError(get_traceback(), message)
        error = assert_func(error, jnp.logical_not(valid), failure)
    return error, []


if error_checks is not None:
    error_checks[_stage] = _tell


def stage_check(valid: jax.Array, message: str) -> None:
    """Demands that all of `valid` hold, in traced code.

    Args:
        valid: boolean array.
        message: what is wrong otherwise; told by `checkify.checkify` with `user_checks`.
    """
    # The message is a format string there: braces in it would be taken for fields.
    message = message.replace("{", "{{").replace("}", "}}")
    if error_checks is None:
        checkify.debug_check(jnp.all(valid), message)
    else:
        _stage.bind(jnp.all(valid), message=message)
