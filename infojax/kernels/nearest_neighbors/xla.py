"""Nearest neighbours in plain XLA: windows of points in the order of one coordinate.

Points are sorted by the coordinate that spreads most. A block of rows looks at a window of
columns around it, and further windows on either side until no column beyond can be nearer than
what is found, because that coordinate alone is too far away. In few dimensions the first window
is nearly always enough (N log N and some columns a row); in many it holds all points, a tile of
rows by columns in memory at a time. The result does not depend on the windows.
"""

import functools

import jax
import jax.numpy as jnp

from infojax.kernels.nearest_neighbors import reference
from infojax.kernels.nearest_neighbors.distances import tile
from infojax.kernels.nearest_neighbors.smallest import k_smallest
from infojax.kernels.varying import vary_like

# Rows of a block, and the most pairs of a tile: a few MiB, about a core's second-level cache.
_ROWS = 64
_PAIRS = 1 << 21
# Problems of so few pairs are solved without windows: there is nothing to save but compilation.
_SMALL = 1 << 12


def _widths(count: int, others: int, size: int, k: int) -> tuple[int, int]:
    """Rows of a block and columns of a window.

    Of points that fill a cube the k nearest lie within (k / M)^(1/D) of its side; windows are a
    little wider than that on both sides.
    """
    rows = min(count, _ROWS)
    reach = others * (k / others) ** (1 / size)
    width = rows * max(1, others // count) + int(2.5 * reach)
    return rows, min(others, max(width, 2 * rows), max(_PAIRS // rows, 1))


def _over_problems(one, arrays: tuple[jax.Array, ...]) -> list[jax.Array]:
    """Maps over problems, as many at a time as fill a tile."""
    pairs = arrays[0].shape[1] * arrays[1].shape[1]
    at_once = max(1, _PAIRS // 8 // pairs)
    if arrays[0].shape[0] == 1:
        return [x[None] for x in one(*(x[0] for x in arrays))]
    if arrays[0].shape[0] <= at_once:
        return list(jax.vmap(one)(*arrays))
    return list(jax.lax.map(lambda problem: one(*problem), arrays, batch_size=at_once))


def _alone(function, *arrays, **options) -> list[jax.Array]:
    """One problem, by a function of several."""
    return [x[0] for x in function(*(x[None] for x in arrays), **options)]


def _coordinate(b: jax.Array) -> jax.Array:
    """The place of the coordinate with the largest variance among the points that count."""
    counts = jnp.isfinite(b)
    n = jnp.maximum(jnp.sum(counts, 0), 1)
    mean = jnp.sum(jnp.where(counts, b, 0), 0) / n
    spread = jnp.sum(jnp.where(counts, b - mean, 0) ** 2, 0)
    return jnp.argmax(spread)


def _blocks(x: jax.Array, rows: int) -> jax.Array:
    """Cuts the first axis into blocks of rows; the last row stands in for those that lack."""
    lacking = -x.shape[0] % rows
    x = jnp.pad(x, [(0, lacking)] + [(0, 0)] * (x.ndim - 1), mode="edge")
    return x.reshape(-1, rows, *x.shape[1:])


def _in_order(b: jax.Array, coordinate: jax.Array, margin: int) -> tuple[jax.Array, jax.Array]:
    """Columns sorted by a coordinate, coordinates first, with a margin of points at infinity.

    Returns:
        The points, (D, margin + M + margin), and their places in b, -1 in the margins.
    """
    order = jnp.argsort(b[:, coordinate]).astype(jnp.int32)
    points = jnp.pad(b[order].T, ((0, 0), (margin, margin)), constant_values=jnp.inf)
    points = jnp.where(jnp.arange(points.shape[1]) < margin, -points, points)
    return points, jnp.pad(order, margin, constant_values=-1)


def _first(condition, length: int, shape: tuple[int, ...], like: tuple) -> jax.Array:
    """By bisection, the first of `length` places at which a condition holds from there on."""
    low = vary_like(jnp.zeros(shape, jnp.int32), *like)

    def halve(_, interval):
        low, high = interval
        middle = (low + high) // 2
        holds = condition(jnp.minimum(middle, length - 1)) | (middle >= length)
        return jnp.where(holds, low, middle + 1), jnp.where(holds, middle, high)

    # A loop: written out, XLA fuses each step into all that follow, and compiles for minutes.
    return jax.lax.fori_loop(0, length.bit_length(), halve, (low, low + length))[1]


def _apart(function, *arrays):
    """Calls a function on arrays that are in memory, rather than fused into what it does.

    XLA on CPU computes what a reduction takes inside of its loop, which then is not vectorised:
    five times the time. The arguments of a conditional are written out first; that the condition
    always holds is not known to the compiler.
    """
    shape = jax.eval_shape(function, *arrays)
    always = arrays[0].ravel()[0] != -jnp.finfo(arrays[0].dtype).max

    def never(*arrays):
        return jax.tree.map(lambda s: vary_like(jnp.zeros(s.shape, s.dtype), *arrays), shape)

    return jax.lax.cond(always, function, never, *arrays)


def search(
    a: jax.Array,
    b: jax.Array,
    *labels: jax.Array,
    k: int,
    metric: str,
    same: bool,
    indices: bool,
) -> list[jax.Array]:
    """The k nearest of b to each a; arguments and results as those of `reference.search`.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D).
        *labels: none, or those of a and of b.
        k: how many, at most M.
        metric: "chebyshev" or "euclidean".
        same: whether a and b are the same points.
        indices: whether to tell which points they are.

    Returns:
        Distances and, if `indices`, places in b.
    """
    options = {"k": k, "metric": metric, "same": same, "indices": indices}
    if a.shape[1] * b.shape[1] <= _SMALL:
        one = functools.partial(_alone, reference.search, **options)
    else:
        one = functools.partial(_search_one, **options)
    return _over_problems(one, (a, b, *labels))


def _search_one(a, b, *labels, k: int, metric: str, same: bool, indices: bool) -> list[jax.Array]:
    count, others = a.shape[0], b.shape[0]
    rows, width = _widths(count, others, a.shape[1], k)
    coordinate = _coordinate(b)
    points, places = _in_order(b, coordinate, width)
    keys = points[coordinate]
    column_labels = (jnp.pad(labels[1], (0, 1))[places],) if labels else ()
    order = jnp.argsort(a[:, coordinate]).astype(jnp.int32)
    row_arrays = (a[order], order, *((labels[0][order],) if labels else ()))

    def window(block, start):
        """The k nearest of one window to a block of rows."""
        cut = functools.partial(jax.lax.dynamic_slice_in_dim, start_index=start, slice_size=width)
        columns = (cut(points, axis=1), cut(places), *(cut(x) for x in column_labels))
        of_rows, *others_of_rows = block
        return _apart(nearest_of_tile, columns[0], of_rows.T, *columns[1:], *others_of_rows)

    def nearest_of_tile(columns, of_rows, column_places, *more):
        column_label, row_places, row_label = more if labels else (None, more[0], None)
        d = tile(of_rows, columns, metric)
        if same:
            d = jnp.where(row_places[:, None] == column_places, jnp.inf, d)
        if row_label is not None:
            d = jnp.where(row_label[:, None] == column_label, d, jnp.inf)

        def pick(d, column_places):
            return k_smallest(d, column_places, min(k, width), k, indices)

        return _apart(pick, d, column_places)

    def one_block(block):
        row_keys = block[0][:, coordinate]
        middle = _first(lambda i: keys[i] >= row_keys[rows // 2], keys.size, (), (keys, row_keys))
        start = jnp.clip(middle - width // 2, width, keys.size - 2 * width)

        def gaps(low, high):
            left = row_keys - keys[jnp.maximum(low - 1, 0)]
            right = keys[jnp.minimum(high, keys.size - 1)] - row_keys
            # The rows' own order may leave one of them beyond the window: no gap at all.
            left, right = jnp.maximum(left, 0), jnp.maximum(right, 0)
            return (left**2, right**2) if metric == "euclidean" else (left, right)

        def open_sides(state):
            low, high, best = state
            farthest = best[0][:, -1]
            # Where places are asked for, an equal distance beyond may have a lower place.
            beyond = jnp.greater_equal if indices else jnp.greater
            sides = gaps(low, high)
            more = (low > width, high < keys.size - width)
            left, right = (
                jnp.any(beyond(farthest, g)) & m for g, m in zip(sides, more, strict=True)
            )
            return left, right, jnp.min(sides[0]) <= jnp.min(sides[1])

        def unfinished(state):
            left, right, _ = open_sides(state)
            return left | right

        def further(state):
            low, high, best = state
            left, right, nearer = open_sides(state)
            left = left & (nearer | ~right)
            found = window(block, jnp.where(left, low - width, high))
            both = [jnp.concatenate(parts, -1) for parts in zip(best, found, strict=True)]
            best = jax.lax.sort(both, num_keys=len(both))
            best = tuple(x[:, :k] for x in best)
            return jnp.where(left, low - width, low), jnp.where(left, high, high + width), best

        state = (start, start + width, window(block, start))
        if width < others:
            state = jax.lax.while_loop(unfinished, further, state)
        return state[2]

    blocks = tuple(_blocks(x, rows) for x in row_arrays)
    found = jax.lax.map(one_block, blocks) if blocks[0].shape[0] > 1 else None
    if found is None:
        found = tuple(x[None] for x in one_block(tuple(x[0] for x in blocks)))
    back = jnp.argsort(order)
    distances, *others_found = (x.reshape(-1, k)[:count][back] for x in found)
    if metric == "euclidean":
        distances = jnp.sqrt(distances)
    if indices:
        return [distances, jnp.where(distances < jnp.inf, others_found[0], -1)]
    return [distances]


def count(
    a: jax.Array, b: jax.Array, radius: jax.Array, *, metric: str, closed: bool
) -> list[jax.Array]:
    """How many of b are nearer than a radius; arguments and results as `reference.count`.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D).
        radius: radii, (B, N, R).
        metric: "chebyshev" or "euclidean".
        closed: whether those at the radius count.

    Returns:
        One array, int32, (B, N, R).
    """
    if a.shape[1] * b.shape[1] * radius.shape[2] <= _SMALL:
        one = functools.partial(_alone, reference.count, metric=metric)
    elif a.shape[2] == 1:
        one = _count_on_a_line
    else:
        one = functools.partial(_count_one, metric=metric)
    return _over_problems(functools.partial(one, closed=closed), (a, b, radius))


def _count_on_a_line(a, b, radius, *, closed: bool) -> list[jax.Array]:
    """Bisection for both ends, by the same differences that a comparison of pairs would take."""
    line = jnp.sort(b[:, 0])
    a = a[:, :1]
    outside = jnp.greater if closed else jnp.greater_equal
    inside = jnp.less_equal if closed else jnp.less
    find = functools.partial(_first, length=line.size, shape=radius.shape)
    begin = find(lambda i: inside(a - line[i], radius), like=(line, radius))
    end = find(lambda i: outside(line[i] - a, radius), like=(line, radius))
    return [jnp.maximum(end - begin, 0)]


def _count_one(a, b, radius, *, metric: str, closed: bool) -> list[jax.Array]:
    count, others = a.shape[0], b.shape[0]
    rows = min(count, _ROWS)
    width = min(others, max(_PAIRS // rows, 1), max(256, others // 4))
    coordinate = _coordinate(b)
    points, _ = _in_order(b, coordinate, width)
    keys = points[coordinate]
    order = jnp.argsort(a[:, coordinate]).astype(jnp.int32)

    def one_block(block):
        of_rows, reach = block
        row_keys, farthest = of_rows[:, coordinate], jnp.max(reach, -1)
        if metric == "euclidean":
            farthest = farthest * (1 + 1e-5)  # a root may be rounded below its largest term
        find = functools.partial(_first, length=keys.size, shape=(), like=(keys, row_keys))
        begin = find(lambda i: jnp.any(row_keys - keys[i] <= farthest))
        end = find(lambda i: jnp.all(keys[i] - row_keys > farthest))

        def count_tile(columns, rows, reach):
            d = tile(rows, columns, metric)
            d = jnp.sqrt(d) if metric == "euclidean" else d
            within = [
                d <= reach[:, i : i + 1] if closed else d < reach[:, i : i + 1]
                for i in range(reach.shape[1])
            ]
            # Sums of floats have a fast path on CPU; these are whole and small enough.
            sums = [jnp.sum(w.astype(jnp.float32), 1).astype(jnp.int32) for w in within]
            return jnp.stack(sums, -1)

        def add(step, total):
            # Steps are counted from the left; the margin takes what the last one has too much.
            start = begin + step * width
            columns = jax.lax.dynamic_slice_in_dim(points, start, width, 1)
            return total + _apart(count_tile, columns, of_rows.T, reach)

        steps = jnp.maximum(end - begin + width - 1, 0) // width
        start = vary_like(jnp.zeros(reach.shape, jnp.int32), of_rows, reach, points)
        return jax.lax.fori_loop(0, steps, add, start)

    blocks = (_blocks(a[order], rows), _blocks(radius[order], rows))
    counts = jax.lax.map(one_block, blocks).reshape(-1, radius.shape[1])[:count]
    return [counts[jnp.argsort(order)]]
