"""Sends a user's own bytes through the game, and shows what the receiver makes of them.

Each episode carries a few bytes, one block each; every step uses the block whose belief is the
most uncertain (the block-wise game). The receiver reads off the most probable byte of a block.
"""

import dataclasses
import functools
import io
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.markov_coding_game.game import (
    Encoder,
    Player,
    Position,
    World,
    first_position,
    step,
    world_on_device,
)
from experiments.markov_coding_game.grid_world import GridWorld, make_grid_world, soft_policy
from experiments.markov_coding_game.pictures import draw_grid
from experiments.runner import figures

_BYTES = 256


@dataclasses.dataclass(frozen=True)
class Transmission:
    """What became of a message.

    Attributes:
        sent: the bytes.
        received: the most probable byte of each block.
        belief: the receiver's belief in it.
        routes: the cells of each episode, (episodes, steps + 1); -1 after the end.
        certainty: the largest belief of each block over time, (episodes, steps + 1, blocks).
    """

    sent: np.ndarray
    received: np.ndarray
    belief: np.ndarray
    routes: np.ndarray
    certainty: np.ndarray

    def share_of_bits(self) -> float:
        """The share of the message's bits that were received as sent; 1 for no message."""
        if not self.sent.size:
            return 1.0
        wrong = np.unpackbits(self.sent ^ self.received).sum()
        return 1 - float(wrong) / (8 * self.sent.size)


def read_message(text: str | None, path: str | None) -> bytes | None:
    """Reads the user's message.

    Args:
        text: the message itself, or None.
        path: a file that holds it, or None.

    Returns:
        Its bytes (text in UTF-8), or None if there is no message.

    Raises:
        UserError: both are given, or the file cannot be read.
    """
    if text is not None and path is not None:
        raise runner.UserError("give --message or --message_file, not both")
    if path is not None:
        try:
            return pathlib.Path(path).read_bytes()
        except OSError as error:
            raise runner.UserError(f"--message_file={path}: {error.strerror}") from None
    # A terminal passes bytes that are no UTF-8 as surrogates: they go out as they came in.
    return None if text is None else text.encode("utf-8", "surrogateescape")


@functools.partial(jax.jit, static_argnames=("encoder", "discount", "max_steps"))
def _play(world: World, player: Player, start: Position, encoder, discount, max_steps):
    lanes = start.state.shape[0]

    def unfinished(carry):
        return jnp.any(~carry[1]) & (carry[2] < max_steps)

    def body(carry):
        position, over, time, routes, certainty = carry
        moved, outcome = step(
            world, player, position, encoder, discount=discount, max_steps=max_steps
        )
        position = jax.tree.map(
            lambda new, old: jnp.where(over.reshape(-1, *[1] * (new.ndim - 1)), old, new),
            moved,
            position,
        )
        routes = routes.at[:, time + 1].set(jnp.where(over, -1, position.state))
        certainty = certainty.at[:, time + 1].set(jnp.max(position.beliefs, -1))
        return position, over | outcome.ended, time + 1, routes, certainty

    blocks = start.beliefs.shape[1]
    routes = jnp.full((lanes, max_steps + 1), -1, jnp.int32).at[:, 0].set(start.state)
    certainty = jnp.zeros((lanes, max_steps + 1, blocks)).at[:, 0].set(1 / _BYTES)
    carry = (start, jnp.zeros(lanes, bool), jnp.int32(0), routes, certainty)
    position, _, _, routes, certainty = jax.lax.while_loop(unfinished, body, carry)
    return position.beliefs, routes, certainty


def game_of(config) -> tuple[GridWorld, np.ndarray]:
    """The grid world and the policy with which a message is sent.

    Args:
        config: the experiment's configuration.

    Returns:
        The paper's grid and the policy at `message.log_beta`, (S, 4).
    """
    world = make_grid_world(config.game.grid_sides[0], config.game.noise)
    policy = soft_policy(
        world,
        float(np.exp(config.message.log_beta)),
        discount=config.game.discount,
        sweeps=config.game.soft_q_sweeps,
    )
    return world, np.asarray(policy)


def send(run: runner.Run, content: bytes) -> Transmission:
    """Plays the episodes that carry a message.

    Args:
        run: the run; its `message` configuration applies.
        content: the bytes to send; may be empty.

    Returns:
        What became of them.
    """
    settings = run.config.message
    world, policy = game_of(run.config)
    tables = world_on_device(world, jnp.asarray(policy)[None])
    blocks, steps = settings.bytes_per_episode, settings.max_steps
    sent = np.frombuffer(content, np.uint8)
    episodes = -(-sent.size // blocks)
    padded = np.zeros(episodes * blocks, np.uint8)
    padded[: sent.size] = sent
    padded = padded.reshape(episodes, blocks)
    lanes = min(settings.episodes_at_once, max(episodes, 1))
    encoder: Encoder = "none" if settings.compression_rate <= 1 else "search"
    found = []
    with run.progress("message", sent.size, unit="bytes") as bar:
        for first in range(0, episodes, lanes):
            rows = padded[first : first + lanes]
            count = len(rows)
            # The last batch is filled up, so that one compiled program serves all.
            rows = np.concatenate([rows, np.zeros((lanes - count, blocks), np.uint8)])
            player = Player(
                policy=jnp.zeros(lanes, jnp.int32),
                rate=jnp.full(lanes, 8 / settings.compression_rate, jnp.float32),
                message=jnp.asarray(rows, jnp.int32),
                seed=jnp.asarray(run.seed + 1 + first + np.arange(lanes), jnp.int32),
            )
            start = first_position(world, (lanes, blocks), _BYTES)
            played = _play(tables, player, start, encoder, run.config.game.discount, steps)
            found.append([np.asarray(x)[:count] for x in played])
            bar.advance(min(count * blocks, sent.size - first * blocks))
    if not found:
        return Transmission(sent, sent, np.ones(0), np.full((0, 1), -1), np.ones((0, 1, blocks)))
    beliefs, routes, certainty = (np.concatenate(parts) for parts in zip(*found, strict=True))
    flat = beliefs.reshape(-1, _BYTES)[: sent.size]
    return Transmission(sent, flat.argmax(1).astype(np.uint8), flat.max(1), routes, certainty)


def table_of(transmission: Transmission, blocks: int) -> list[dict[str, object]]:
    """A row for each byte.

    Args:
        transmission: what became of the message.
        blocks: bytes an episode.

    Returns:
        Rows for a table.
    """
    return [
        {
            "byte": i,
            "episode": i // blocks,
            "sent": f"0x{a:02x}",
            "received": f"0x{b:02x}",
            "belief": round(float(belief), 4),
            "right": bool(a == b),
        }
        for i, (a, b, belief) in enumerate(
            zip(transmission.sent, transmission.received, transmission.belief, strict=True)
        )
    ]


def show(run: runner.Run, transmission: Transmission, lines: int = 32) -> None:
    """Prints the message block by block.

    Args:
        run: the run.
        transmission: what became of the message.
        lines: at most so many blocks.
    """
    if not transmission.sent.size:
        run.print("message: empty, nothing to send; 100 % of 0 bits received")
        return
    run.print("")
    run.print("block  sent        received    belief")
    for i in range(min(lines, transmission.sent.size)):
        a, b = int(transmission.sent[i]), int(transmission.received[i])
        mark = "" if a == b else "   wrong"
        run.print(f"{i:5d}  {_name(a):10s}  {_name(b):10s}  {transmission.belief[i]:.4f}{mark}")
    if transmission.sent.size > lines:
        run.print(f"... and {transmission.sent.size - lines} more in message.csv")
    text = transmission.received.tobytes().decode("utf-8", "replace")
    right = int((transmission.sent == transmission.received).sum())
    run.print(f"received: {text[:200]!r}{' ...' if len(text) > 200 else ''}")
    run.print(
        f"{100 * transmission.share_of_bits():.1f} % of {8 * transmission.sent.size} bits received "
        f"({right} of {transmission.sent.size} bytes right, {len(transmission.routes)} episodes)"
    )


def _name(byte: int) -> str:
    printable = 32 < byte < 127
    return f"0x{byte:02x} {chr(byte)!r}" if printable else f"0x{byte:02x}"


def animation(
    world: GridWorld, policy: np.ndarray, transmission: Transmission, frames: int
) -> bytes:
    """Draws the first episode's route as an animated GIF, with the receiver's certainty.

    Args:
        world: the grid world.
        policy: action probabilities, (S, 4).
        transmission: what became of the message; at least one episode.
        frames: at most so many frames.

    Returns:
        The file's content.
    """
    from PIL import Image

    route = transmission.routes[0]
    length = int((route >= 0).sum())
    times = np.unique(np.linspace(0, length - 1, min(frames, length)).astype(int))
    pictures = [_frame(world, policy, transmission, route, int(time)) for time in times]
    target = io.BytesIO()
    images = [
        Image.open(io.BytesIO(png)).convert("P", palette=Image.Palette.ADAPTIVE) for png in pictures
    ]
    images[0].save(
        target,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        loop=0,
        duration=[150] * (len(images) - 1) + [2500],
    )
    return target.getvalue()


def _frame(world, policy, transmission, route, time: int) -> bytes:
    figure = route_figure(world, policy, transmission, route, time)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=80)
    return target.getvalue()


def route_figure(world, policy, transmission, route, time: int):
    """Draws a route up to a time, and how certain the receiver is of each block.

    Args:
        world: the grid world.
        policy: action probabilities, (S, 4).
        transmission: what became of the message.
        route: the cells, -1 after the end.
        time: the last step shown.

    Returns:
        The figure.
    """
    figure, (grid, bars) = figures.subplots(
        1, 2, panel=(3.6, 3.6), gridspec_kw={"width_ratios": [1.4, 1]}
    )
    draw_grid(grid, world, policy)
    rows, columns = np.divmod(route[: time + 1], world.side)
    # A little spread keeps steps apart that cross the same cells again and again.
    wobble = 0.18 * np.stack([np.sin(1.7 * np.arange(time + 1)), np.cos(2.3 * np.arange(time + 1))])
    grid.plot(
        columns + wobble[0], rows + wobble[1], color=figures.COLORS[0], linewidth=1.2, alpha=0.8
    )
    grid.plot(columns[0], rows[0], "s", color=figures.COLORS[2], markersize=7, zorder=4)
    grid.plot(
        columns[-1] + wobble[0, -1],
        rows[-1] + wobble[1, -1],
        "o",
        color=figures.COLORS[1],
        markersize=9,
        zorder=5,
    )
    figures.finish(
        grid, title=f"step {time} of {int((route >= 0).sum()) - 1}", x="", y="", legend=False
    )
    certainty = transmission.certainty[0, time]
    shown = min(certainty.size, transmission.sent.size)
    labels = [_name(int(b)) for b in transmission.sent[:shown]]
    bars.bar(range(shown), certainty[:shown], color=figures.COLORS[0], width=0.5)
    bars.set_xticks(range(shown), labels)
    bars.set_ylim(0, 1.02)
    figures.finish(bars, title="receiver's largest belief", x="byte sent", y="", legend=False)
    return figure
