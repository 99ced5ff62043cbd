"""Runs the Markov coding game: the paper's figure 4 and its smaller measurements.

`python -m experiments.markov_coding_game --workdir=runs/markov_coding_game`; with
`--message="any text"` or `--message_file=PATH` it sends the user's own bytes as well.
"""

from absl import flags

from experiments import runner
from experiments.markov_coding_game import comparisons, ledger, pictures
from experiments.markov_coding_game import message as messages
from experiments.markov_coding_game.config import get_config
from experiments.markov_coding_game.play import Point, play_all

_MESSAGE = flags.DEFINE_string("message", None, "Text to send through the game.")
_MESSAGE_FILE = flags.DEFINE_string("message_file", None, "File whose bytes to send.")


def point_rows(points: list[Point]) -> list[dict[str, object]]:
    """The main table: a row a point.

    Args:
        points: the points of all games.

    Returns:
        Rows with means and 95 % intervals.
    """
    rows = []
    for point in points:
        accuracy = runner.wilson_interval(int(point.correct.sum()), point.correct.size)
        reward = runner.mean_interval(point.reward)
        rows.append(
            {
                "messages": 2**point.message_bits,
                "grid": f"{point.side}x{point.side}",
                "encoder": point.encoder,
                "compression_rate": point.compression_rate,
                "rate_bits": point.message_bits / point.compression_rate,
                "log_beta": point.log_beta,
                "episodes": point.reward.size,
                "accuracy": accuracy.value,
                "accuracy_low": accuracy.low,
                "accuracy_high": accuracy.high,
                "reward": reward.value,
                "reward_low": reward.low,
                "reward_high": reward.high,
                "final_belief": float(point.belief.mean()),
                "mean_steps": float(point.length.mean()),
            }
        )
    return rows


def _mec_rows(table) -> list[dict[str, object]]:
    rows = []
    for name in comparisons.METHODS:
        values = table[name]
        estimate = runner.mean_interval(values)
        paper, half = comparisons.PAPER_MEC_TABLE.get(name, (None, None))
        rows.append(
            {
                "method": name,
                "joint_entropy_bits": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "standard_deviation": float(values.std(ddof=1)),
                "paper": paper,
                "paper_half_width": half,
            }
        )
    return rows


def _play_games(run: runner.Run) -> list[runner.Claim]:
    points = play_all(run)
    run.save_table("games", point_rows(points))
    first = [p for p in points if (p.message_bits, p.side) == _setting(points[0])]
    run.save_figure("games", pictures.accuracy_and_reward(first))
    run.save_figure("over_time", pictures.over_time(first))
    for setting in sorted({_setting(p) for p in points} - {_setting(points[0])}):
        chosen = [p for p in points if _setting(p) == setting]
        name = f"games_{setting[0]}bits_{setting[1]}x{setting[1]}"
        run.save_figure(name, pictures.accuracy_and_reward(chosen))
    return ledger.game_claims(points, run.seed)


def _setting(point: Point) -> tuple[int, int]:
    return point.message_bits, point.side


def _measure_couplings(run: runner.Run) -> list[runner.Claim]:
    tables = run.config.tables
    symbols, rates = tables.stochasticity_symbols, tuple(tables.stochasticity_rates)
    stages = {
        "mec_table": lambda: comparisons.mec_table(run.seed, tables.pairs, tables.symbols),
        "code_curve": lambda: comparisons.code_curve(tables.curve_rates),
        "encoders": lambda: comparisons.encoder_comparison(tables.encoder_rates),
        "stochasticity": lambda: comparisons.stochasticity(symbols, rates),
    }
    results = []
    with run.progress("couplings", len(stages), unit="tables") as bar:
        for name, function in stages.items():
            results.append(run.stage(name, function))
            bar.advance(1)
    table, curve, encoders, stochastic = results
    run.save_table("mec_table", _mec_rows(table))
    run.save_figure("mec_table", pictures.mec_table(table))
    run.save_figure("code_curve", pictures.code_curve(curve))
    run.save_figure("encoders", pictures.encoders(encoders))
    run.save_figure("stochasticity", pictures.stochasticity(stochastic))
    return [*ledger.mec_claims(table), *ledger.code_claims(curve, encoders, stochastic)]


def _send_message(run: runner.Run, content: bytes) -> None:
    transmission = messages.send(run, content)
    blocks = run.config.message.bytes_per_episode
    run.save_table("message", messages.table_of(transmission, blocks))
    run.log({"message_bytes": len(content), "bits_received": transmission.share_of_bits()})
    if content and run.is_main:
        world, policy = messages.game_of(run.config)
        gif = messages.animation(world, policy, transmission, run.config.message.frames)
        run.save_file("route.gif", gif)
        route = transmission.routes[0]
        last = int((route >= 0).sum()) - 1
        figure = messages.route_figure(world, policy, transmission, route, last)
        run.save_figure("route", figure)
    messages.show(run, transmission)


def main(run: runner.Run) -> None:
    """Plays, measures, draws and judges.

    Args:
        run: the run.
    """
    content = messages.read_message(_MESSAGE.value, _MESSAGE_FILE.value)
    claims = _measure_couplings(run)
    claims = [*_play_games(run), *claims]
    if content is not None:
        _send_message(run, content)
    run.save_claims(claims)


if __name__ == "__main__":
    runner.main(
        main,
        get_config,
        experiment="markov_coding_game",
        locked_flags=("message", "message_file"),
    )
