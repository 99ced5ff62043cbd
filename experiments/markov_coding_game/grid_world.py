"""The grid world of the Markov coding game, and its soft-optimal policies.

A square grid with a diagonal of obstacles: a goal (+1) in the upper right corner, a trap (-1)
below it, both terminal. A move goes astray to either side with the noise's probability; walls
and obstacles block it. (Sokota et al., arXiv 2107.08295; Ebrahimi et al., arXiv 2410.21666.)
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

# Up, right, down, left, as (row, column).
_MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
ACTIONS = len(_MOVES)


@dataclasses.dataclass(frozen=True)
class GridWorld:
    """A grid world as tables over its states, row-major.

    Attributes:
        side: rows and columns.
        following: the state that a move without noise leads to, (S, 4).
        direction: probability that an action moves in each direction, (4, 4).
        reward: reward of entering a state, (S,).
        terminal: whether the episode ends in a state, (S,).
        start: the first state.
        goal: the state of reward +1.
        trap: the state of reward -1.
        obstacles: states that cannot be entered.
    """

    side: int
    following: np.ndarray
    direction: np.ndarray
    reward: np.ndarray
    terminal: np.ndarray
    start: int
    goal: int
    trap: int
    obstacles: tuple[int, ...]

    def transition(self) -> np.ndarray:
        """The dense transition table (S, 4, S); rows of terminal states are zero."""
        states = np.arange(self.side**2)
        table = np.zeros((states.size, ACTIONS, states.size))
        for action in range(ACTIONS):
            for way in range(ACTIONS):
                np.add.at(
                    table,
                    (states, action, self.following[:, way]),
                    self.direction[action, way],
                )
        table[self.terminal] = 0
        return table


def make_grid_world(side: int = 8, noise: float = 0.1) -> GridWorld:
    """Builds the grid world; side 8 is the paper's.

    Args:
        side: rows and columns, at least 8.
        noise: probability of going astray to each side.

    Returns:
        The grid world.

    Raises:
        ValueError: a grid that is too small for its parts, or a noise outside [0, .5].
    """
    if side < 8:
        raise ValueError(f"side must be at least 8; got {side}")
    if not 0 <= noise <= 0.5:
        raise ValueError(f"noise must be between 0 and 0.5; got {noise}")
    obstacles = {(i, i) for i in range(1, side)}
    following = np.zeros((side * side, ACTIONS), np.int32)
    for row in range(side):
        for column in range(side):
            for move, (down, right) in enumerate(_MOVES):
                to = (row + down, column + right)
                inside = 0 <= to[0] < side and 0 <= to[1] < side
                if not inside or to in obstacles:
                    to = (row, column)
                following[row * side + column, move] = to[0] * side + to[1]
    direction = np.zeros((ACTIONS, ACTIONS))
    for action in range(ACTIONS):
        direction[action, action] += 1 - 2 * noise
        direction[action, (action + 1) % ACTIONS] += noise
        direction[action, (action - 1) % ACTIONS] += noise
    goal, trap = side - 1, 2 * side - 1
    reward = np.zeros(side * side)
    reward[goal], reward[trap] = 1, -1
    return GridWorld(
        side=side,
        following=following,
        direction=direction,
        reward=reward,
        terminal=reward != 0,
        start=5 * side // 8 * side + side // 2,
        goal=goal,
        trap=trap,
        obstacles=tuple(sorted(row * side + column for row, column in obstacles)),
    )


@functools.partial(jax.jit, static_argnames="sweeps")
def _soft_q(following, direction, reward, terminal, beta, discount, sweeps):
    def sweep(q, _):
        value = beta * jax.nn.logsumexp(q / beta, axis=-1)
        ahead = value[following] @ direction.T
        # Entering a terminal state gives its reward; nothing comes after it.
        q = jnp.where(terminal[:, None], reward[:, None], reward[:, None] + discount * ahead)
        return q, None

    start = jnp.zeros((reward.size, ACTIONS), reward.dtype)
    return jax.lax.scan(sweep, start, length=sweeps)[0]


def soft_policy(
    world: GridWorld, beta: float, *, discount: float = 0.95, sweeps: int = 100
) -> jax.Array:
    """Soft-optimal policy by soft Q iteration.

    Q(s, a) = r(s) + gamma sum_s' T(s, a, s') beta log sum_a' exp(Q(s', a') / beta), and Q = r in
    terminal states; the policy is softmax(Q / beta).

    Args:
        world: the grid world.
        beta: the temperature; small seeks reward, large is random.
        discount: the discount factor gamma.
        sweeps: the number of sweeps.

    Returns:
        Action probabilities, (S, 4).
    """
    tables = (world.following, world.direction, world.reward, world.terminal)
    following, direction, reward, terminal = map(jnp.asarray, tables)
    reward, direction = (
        reward.astype(jnp.result_type(float)),
        direction.astype(jnp.result_type(float)),
    )
    q = _soft_q(following, direction, reward, terminal, beta, discount, sweeps)
    return jax.nn.softmax(q / beta, axis=-1)
