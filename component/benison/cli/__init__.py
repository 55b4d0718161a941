# SPDX-License-Identifier: Apache-2.0
"""The command `benison`: registers its subcommands, and turns signals and crashes into exit codes."""

from __future__ import annotations

import traceback
from typing import Annotated

import typer

import benison
from benison import signals, terminal
from benison.cli.catalogue import METRICS_HELP, metrics
from benison.cli.convert import CONVERT_HELP, convert
from benison.cli.drift import DRIFT_HELP, PROFILE_HELP, drift, profile_data
from benison.cli.estimating import ESTIMATE_HELP, estimating
from benison.cli.evaluate import EVALUATE_HELP, check, evaluate, gate, schema, verify
from benison.cli.explain import (
    CHECKS_HELP,
    COMPARE_HELP,
    EXPLAIN_HELP,
    checks,
    compare,
    explain,
)
from benison.cli.init import INIT_HELP, init
from benison.cli.lineage import bless, blessings, lineage, record, revoke
from benison.cli.monitor import MONITOR_HELP, monitor
from benison.cli.options import CRASHED, NOT_BLESSED, WRONG
from benison.cli.planning import POWER_HELP, power
from benison.cli.promote import PROMOTE_HELP, promote
from benison.cli.publish import PUBLISH_HELP, publish
from benison.cli.show import REPORT_HELP, SHOW_HELP, report, show
from benison.terminal.pipes import outlive_readers, why_unwritten

_WRONG = "2 wrong usage, config or data; 3 a fault of Benison's own; 75 a store or service is away."
_DONE = f"Exit code: 0 done; {_WRONG}"
_GATE = f"Exit code: 0 blessed; 1 not blessed; {_WRONG}"
_DRIFT = f"Exit code: 0 no drift, or no --gate; 1 drift under --gate; {_WRONG}"
_MONITOR = f"Exit code: 0 no alert, or no --gate; 1 an alert under --gate; {_WRONG}"

app = typer.Typer(
    name="benison",
    help="The step between trained and served: every metric on every slice, and a blessing that says why.",
    epilog=f"Exit code: 0 blessed, or no gate; 1 not blessed, under a gate; {_WRONG} Machine output "
    "(--json) is on standard output, progress and errors on standard error. NO_COLOR=1 leaves colours out.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command(help=INIT_HELP, epilog=_DONE)(init)
app.command(help=EVALUATE_HELP)(evaluate)
app.command(epilog=_GATE)(gate)
app.command(help=SHOW_HELP, epilog=_DONE)(show)
app.command(help=COMPARE_HELP, epilog=_DONE)(compare)
app.command(help=EXPLAIN_HELP, epilog=_DONE)(explain)
app.command(help=CHECKS_HELP, epilog=_DONE)(checks)
app.command(help=REPORT_HELP, epilog=_DONE)(report)
app.command(help=PUBLISH_HELP, epilog=_DONE)(publish)
app.command(help=PROMOTE_HELP, epilog=_DONE)(promote)
app.command("check-config", epilog=_DONE)(check)
app.command(help=CONVERT_HELP, epilog=_DONE)(convert)
app.command(help=METRICS_HELP, epilog=_DONE)(metrics)
app.command(help=DRIFT_HELP, epilog=_DRIFT)(drift)
app.command("profile", help=PROFILE_HELP, epilog=_DONE)(profile_data)
app.command("estimate", help=ESTIMATE_HELP, epilog=_DONE)(estimating)
app.command(help=MONITOR_HELP, epilog=_MONITOR)(monitor)
app.command(help=POWER_HELP, epilog=_DONE)(power)
app.command(epilog=_DONE)(schema)
app.command()(verify)
app.command(epilog=_DONE)(blessings)
app.command(epilog=_DONE)(lineage)
app.command(epilog=_DONE)(bless)
app.command(epilog=_DONE)(revoke)
app.command(epilog=_DONE)(record)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"benison {benison.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command."""
    terminal.own_the_log()
    outlive_readers()
    code = CRASHED
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else CRASHED if end.code else 0
    except Exception:  # Python's own exit code would be 1, which means "not blessed"
        if signals.was_stopped() is None:
            traceback.print_exc()
    code = signals.was_stopped() or _of_output(code)
    signals.finish(code)
    raise SystemExit(code)


def _of_output(code: int) -> int:
    """The exit code, which is another one where what was printed is lost, as on a full disk."""
    reason = why_unwritten()
    if reason is None:
        return code
    typer.echo(f"error: Standard output cannot be written: {reason}.", err=True)
    return WRONG if code in (0, NOT_BLESSED) else code
